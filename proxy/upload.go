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
		ch <- res
	}()
}

// uploadBody copies the body piece by piece. When the upstream takes no more, it
// goes on to read as long as a later attempt could use what it reads.
func (x *exchange) uploadBody(u *upConn, idle time.Duration, werr error) uploaded {
	c := x.c
	b := getBuf()
	defer putBuf(b)
	limit := x.conf.MaxRequestBytes
	for !x.body.done {
		if werr != nil && (!u.reused || x.captured.size >= int64(x.captured.limit)) {
			return uploaded{err: werr}
		}
		if idle > 0 {
			_ = c.conn.SetReadDeadline(time.Now().Add(idle))
		}
		n, err := c.conn.Read(b[:])
		if n > 0 {
			m, ferr := x.body.feed(b[:n])
			for _, p := range x.body.content {
				x.captured.write(p)
			}
			if werr == nil {
				_, werr = u.Write(b[:m])
			}
			if m < n && x.body.done { // the start of the next request
				c.in = append([]byte(nil), b[m:n]...)
			}
			if ferr != nil {
				return uploaded{ferr, &failure{400, "bad_request", "malformed request: " + ferr.Error()}}
			}
			if limit > 0 && x.captured.size > limit {
				return uploaded{errTooLarge, &failure{413, "request_too_large", "the request body is larger than max_request_bytes"}}
			}
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
	if x.body.done && x.captured.whole() && !x.body.hasTrailers() {
		x.whole = x.captured.data
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
