package intake

import (
	"errors"
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

// Members gives each member of a request to take: those of its beginning, and of its
// end those from the first of keys on. It says whether the object came to its end.
func Members(head, tail []byte, keys []string, take func(key, val []byte)) (whole bool) {
	m := jsonwalk.Object(head)
	for m.Next() {
		take(m.Key, m.Val)
	}
	for end := jsonwalk.Ending(tail, keys); end.Next(); {
		take(end.Key, end.Val)
	}
	return m.Whole()
}

// Judge says what is wrong with a request of which whole says whether its object came
// to its end. The error is that of one of which nothing was read; of others it is a
// problem of the call.
func Judge(c *llm.Call, x *llm.Exchange, whole, nothing bool) error {
	switch {
	case whole || x.Request.Truncated:
		return nil
	case nothing:
		return errors.New("read request body: not a JSON object")
	}
	c.Problems = append(c.Problems, "request body: not a whole JSON object")
	return nil
}
