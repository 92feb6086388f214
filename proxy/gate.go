package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"sync"

	"github.com/valyala/fasthttp"
)

// errGate stands for what fasthttp says, since its errors quote the head, and with it
// the caller's credential.
var errGate = errors.New("a start line or header field that readers may take differently")

// gate is a second opinion on a request head: fasthttp's hardened parser must
// accept what ours has accepted and find the same body length. Two readers that
// agree leave little room for a head that means one thing here and another
// behind the provider's load balancer.
type gate struct {
	src bytes.Reader
	br  *bufio.Reader
	h   fasthttp.RequestHeader
}

var gates = sync.Pool{New: func() any {
	g := &gate{br: bufio.NewReaderSize(nil, bufSize)}
	g.h.DisableNormalizing()
	return g
}}

func gateCheck(b []byte, mine *head) error {
	g := gates.Get().(*gate)
	defer gates.Put(g)
	g.src.Reset(b)
	br := g.br
	if len(b) > br.Size() {
		br = bufio.NewReaderSize(&g.src, len(b))
	} else {
		br.Reset(&g.src)
	}
	if err := g.h.Read(br); err != nil {
		return errGate
	}
	switch n := int64(g.h.ContentLength()); {
	case mine.chunked != (n == -1):
		return errEncoding
	case mine.length >= 0 && n >= 0 && n != mine.length:
		return errLength
	}
	return nil
}
