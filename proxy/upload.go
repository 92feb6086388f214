package proxy

import "time"

// uploaded is how the upload of a request body ended.
type uploaded struct {
	err     error    // what ended it early; nil when the whole body was sent
	failure *failure // what to tell the caller of it; nil when there is nothing to tell
}

// startUpload sends the rest of a request body from a goroutine of its own, so
// that an upstream which answers early is heard. werr is how the first part went.
func (x *exchange) startUpload(werr error) {
	ch := make(chan uploaded, 1)
	u, up := x.up, x.route.Upstream
	x.uploading, x.timed = ch, true
	go func() {
		res := x.uploadBody(u, up.Timeouts.Idle, werr)
		if res.failure != nil {
			_ = u.SetDeadline(past) // wakes the reader of the answer
		} else if res.err == nil {
			x.c.watching(x)
			if t := up.Timeouts.Header; t > 0 && !x.c.gone.Load() {
				_ = u.SetReadDeadline(time.Now().Add(t))
			}
		}
		if x.large != nil {
			largeBufs.Put(x.large)
			x.large = nil
		}
		ch <- res
	}()
}

// uploadBody copies the body piece by piece. When the upstream takes no more, it
// goes on to read as long as a later attempt could use what it reads.
func (x *exchange) uploadBody(u *upConn, idle time.Duration, werr error) uploaded {
	c := x.c
	limit := x.conf.MaxRequestBytes
	for !x.body.done {
		if werr != nil && (!u.reused || x.captured.size >= int64(x.captured.limit)) {
			return uploaded{err: werr}
		}
		if idle > 0 {
			_ = c.conn.SetReadDeadline(time.Now().Add(idle))
		}
		p, err := x.piece()
		if werr == nil && len(p) > 0 {
			_, werr = u.Write(p)
		}
		if err == errChunk {
			return uploaded{err, &failure{400, "bad_request", "malformed request: " + err.Error()}}
		}
		if limit > 0 && x.captured.size > limit {
			return uploaded{errTooLarge, &tooLarge}
		}
		if err != nil && !x.body.done {
			return uploaded{err, x.lostUpload(err)}
		}
	}
	if idle > 0 {
		_ = c.conn.SetReadDeadline(time.Time{})
	}
	return uploaded{err: werr}
}

// piece reads more of the request body and returns it as it came. It is valid
// until the next call.
func (x *exchange) piece() ([]byte, error) {
	c := x.c
	if x.body.kind == kindLength && x.captured.room(x.body.left) {
		// Straight into the copy, and on from there.
		at := len(x.captured.data)
		n, err := x.captured.readFrom(c.conn, x.body.left)
		x.body.left -= int64(n)
		x.body.done = x.body.left == 0
		return x.captured.data[at : at+n], err
	}
	b := x.large
	if b == nil {
		b = largeBufs.Get().(*[largeSize]byte)
		x.large = b
	}
	n, err := c.conn.Read(b[:])
	m, ferr := x.body.feed(b[:n])
	for _, p := range x.body.content {
		x.captured.write(p)
	}
	if m < n && x.body.done { // the start of the next request
		c.in = append([]byte(nil), b[m:n]...)
	}
	if ferr != nil {
		err = ferr
	}
	return b[:m], err
}

// lostUpload tells a silent caller from one that is gone.
func (x *exchange) lostUpload(err error) *failure {
	if isTimeout(err) {
		return &failure{408, "request_timeout", "the request body did not arrive in time"}
	}
	x.c.hangUp()
	return nil
}

// afterUpload settles the upload when no answer came: it returns what to tell the
// caller, or nil when the request is worth another attempt or was just broken.
func (x *exchange) afterUpload(err error) error {
	var res uploaded
	if x.up.reused && !isTimeout(err) && !x.c.gone.Load() {
		res = <-x.uploading // to its end: then the request can be sent again
		x.uploading = nil
	} else {
		res = x.endUpload()
	}
	if res.failure != nil {
		return res.failure
	}
	if x.body.done {
		x.atHand()
	}
	return nil
}

// endUpload stops the upload if it still runs, and waits for its goroutine.
func (x *exchange) endUpload() uploaded {
	if x.uploading == nil {
		return uploaded{}
	}
	var res uploaded
	select {
	case res = <-x.uploading:
	default:
		_ = x.c.conn.SetReadDeadline(past)
		if x.up != nil {
			_ = x.up.SetWriteDeadline(past)
		}
		res = <-x.uploading
		_ = x.c.conn.SetReadDeadline(time.Time{})
	}
	x.uploading = nil
	x.sent = res.err == nil && x.body.done
	return res
}
