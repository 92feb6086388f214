package proxy

import (
	"encoding/binary"
	"errors"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// epoll watches every caller's socket with one epoll instance, edge-triggered
// and registered once a connection: no system call a request. It also works
// beneath TLS, for it looks at the socket.
type epoll struct {
	fd     int
	wake   int // eventfd that ends the loop
	ended  chan struct{}
	mu     sync.Mutex
	last   uint64
	caller map[uint64]*caller // by id and not by descriptor, which the system uses again
}

func newWatcher() (watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	w := &epoll{fd: fd, wake: wake, ended: make(chan struct{}), caller: map[uint64]*caller{}}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		_ = unix.Close(fd)
		_ = unix.Close(wake)
		return nil, err
	}
	go w.loop()
	return w, nil
}

func (w *epoll) loop() {
	defer close(w.ended)
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(w.fd, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, ev := range events[:max(n, 0)] {
			id := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
			if id == 0 {
				return
			}
			w.mu.Lock()
			c := w.caller[id]
			w.mu.Unlock()
			if c != nil {
				c.hangUp()
			}
		}
	}
}

func (w *epoll) add(c *caller) error {
	sc, ok := c.tcp.(syscall.Conn)
	if !ok {
		return errors.New("the connection has no descriptor to watch")
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.last++
	c.id = w.last
	w.caller[c.id] = c
	w.mu.Unlock()
	ev := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(uint32(c.id)), Pad: int32(uint32(c.id >> 32))}
	var ctl error
	if err = rc.Control(func(fd uintptr) { ctl = unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, int(fd), &ev) }); err == nil {
		err = ctl
	}
	if err != nil {
		w.remove(c)
	}
	return err
}

func (w *epoll) remove(c *caller) {
	w.mu.Lock()
	delete(w.caller, c.id)
	w.mu.Unlock()
}

func (w *epoll) waiting(*caller) {}
func (w *epoll) done(*caller)    {}

func (w *epoll) close() {
	_, _ = unix.Write(w.wake, binary.NativeEndian.AppendUint64(nil, 1))
	<-w.ended
	_ = unix.Close(w.fd)
	_ = unix.Close(w.wake)
}
