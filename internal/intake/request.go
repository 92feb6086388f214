package intake

import (
	"fmt"

	"github.com/spanwire/spanwire/internal/encoding"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// maxRequest bounds a decoded request body.
const maxRequest = 64 << 20

// Request returns the request body of x without its content-encoding: all of it,
// or of one that was too long to be kept its beginning and, where that can be
// read, its end. What could not be read is added to the problems of c.
func Request(c *llm.Call, x *llm.Exchange) (head, tail []byte) {
	head = x.Request.Data
	if x.Request.Truncated {
		n := min(max(x.Request.Head, 0), len(head))
		head, tail = head[:n], head[n:]
		c.Problems = append(c.Problems, fmt.Sprintf("request body: %d bytes, of which only the beginning and the end were kept", x.Request.Size))
	}
	enc := x.RequestHeader.Get("content-encoding")
	if len(head) == 0 || encoding.Identity(enc) {
		return head, tail
	}
	decoded, err := encoding.Decode(enc, head, maxRequest)
	if err != nil && !x.Request.Truncated {
		c.Problems = append(c.Problems, fmt.Sprintf("request body: content-encoding %s: %v", jsonwalk.Clip(enc, 40), err))
	}
	return decoded, nil
}
