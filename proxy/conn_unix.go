//go:build unix

package proxy

import (
	"io"
	"net"
	"syscall"
)

// rawReader reads from a TCP socket into a pooled buffer that it takes only when
// there is something to read, so that thousands of quiet streams hold no buffers.
type rawReader struct {
	rc  syscall.RawConn
	fn  func(fd uintptr) bool // made once: a closure a read would be garbage
	buf *[bufSize]byte
	n   int
	err error
}

func newRawReader(c net.Conn) *rawReader {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawReader{rc: rc}
	r.fn = r.ready
	return r
}

func (r *rawReader) ready(fd uintptr) bool {
	b := getBuf()
	for {
		n, err := syscall.Read(int(fd), b[:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			putBuf(b)
			return false
		case err != nil:
			putBuf(b)
			r.err = err
		case n == 0:
			putBuf(b)
			r.err = io.EOF
		default:
			r.buf, r.n = b, n
		}
		return true
	}
}

// read waits for bytes and returns them in a buffer that the caller puts back.
func (r *rawReader) read() (*[bufSize]byte, int, error) {
	r.buf, r.n, r.err = nil, 0, nil
	if err := r.rc.Read(r.fn); err != nil {
		return nil, 0, err
	}
	return r.buf, r.n, r.err
}

// stale says whether an idle connection is of no use: closed by its peer, or with
// bytes on it that nobody asked for.
func stale(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	quiet := false
	var one [1]byte
	err = rc.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN
		return true
	})
	return err != nil || !quiet
}
