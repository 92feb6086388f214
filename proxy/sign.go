package proxy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// signing says whether this request is signed here.
func (x *exchange) signing() bool { return x.route.Upstream.Signer != nil }

// admitSigned prepares for keeping all of a body that is to be signed, and refuses
// one that is too large for that.
func (x *exchange) admitSigned() (failure, bool) {
	if !x.signing() {
		return failure{}, true
	}
	limit := x.route.Upstream.SignedBytes
	if x.req.length > limit {
		return unsignable(limit), false
	}
	x.captured.limit = max(x.captured.limit, int(limit))
	return failure{}, true
}

func unsignable(limit int64) failure {
	return failure{413, "request_too_large", fmt.Sprintf("the request body is larger than the %d bytes that are read to sign it (aws.max_body_bytes)", limit)}
}

// gatherChunks reads the rest of a chunked body into its copy.
func (x *exchange) gatherChunks() (failure, bool) {
	up := x.route.Upstream
	defer func() {
		if x.large != nil {
			largeBufs.Put(x.large)
			x.large = nil
		}
	}()
	for !x.body.done {
		if up.Timeouts.Idle > 0 {
			_ = x.c.conn.SetReadDeadline(time.Now().Add(up.Timeouts.Idle))
		}
		_, err := x.piece()
		switch limit := x.conf.MaxRequestBytes; {
		case err == errChunk:
			return failure{400, "bad_request", "malformed request: " + err.Error()}, false
		case limit > 0 && x.captured.size > limit:
			return tooLarge, false
		case x.captured.size > up.SignedBytes:
			return unsignable(up.SignedBytes), false
		case err != nil && !x.body.done:
			return x.lostCaller(err)
		}
	}
	if up.Timeouts.Idle > 0 {
		_ = x.c.conn.SetReadDeadline(time.Time{})
	}
	return failure{}, true
}

// sign makes the head that goes upstream, with the signature in it. The same head
// is sent when the request is sent again: it holds for as long as a connection is
// tried.
func (x *exchange) sign() (failure, bool) {
	if !x.signing() {
		return failure{}, true
	}
	up := x.route.Upstream
	if x.captured.size > up.SignedBytes {
		return unsignable(up.SignedBytes), false
	}
	if x.body.kind == kindChunked { // the trailer section, if there is one, is left out
		if x.whole = x.captured.data; x.whole == nil {
			x.whole = []byte{}
		}
	}
	x.consume()
	length := ""
	if x.body.kind == kindChunked || x.edited.insert != "" {
		length = strconv.Itoa(len(x.whole) + len(x.edited.insert))
	}
	at, sum := x.edited.at, sha256.New()
	sum.Write(x.whole[:at])
	sum.Write([]byte(x.edited.insert))
	sum.Write(x.whole[at:])
	fields := x.appendFields(nil, length)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if t := up.Timeouts.Connect; t > 0 {
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	x.attach(nil, cancel)
	lines, err := up.Signer.Sign(ctx, x.ex.Method, x.route.Target, fields, [sha256.Size]byte(sum.Sum(nil)))
	x.attach(nil, nil)
	if err != nil {
		return failure{502, "upstream_credentials", "cannot sign the request for provider " + up.Name + ": " + err.Error()}, false
	}
	head := make([]byte, 0, len(x.ex.Method)+len(x.route.Target)+16+len(fields)+len(lines))
	head = x.appendStart(head)
	x.signed = append(append(append(head, fields...), lines...), "\r\n"...)
	return failure{}, true
}
