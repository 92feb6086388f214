package proxy

import "sync"

// bufSize fits a request head with a prompt of ordinary size, and what one read
// from a provider brings. Buffers are held only while they hold something: a
// connection that waits owns none.
const bufSize = 16 << 10

var bufs = sync.Pool{New: func() any { return new([bufSize]byte) }}

// held is told of buffers taken and put back. Tests set it, to find those that
// are not put back.
var held func(delta int)

func getBuf() *[bufSize]byte {
	if held != nil {
		held(1)
	}
	return bufs.Get().(*[bufSize]byte)
}

func putBuf(b *[bufSize]byte) {
	if held != nil {
		held(-1)
	}
	bufs.Put(b)
}

// largeSize is for request bodies that are passed on without a whole copy.
const largeSize = 64 << 10

var largeBufs = sync.Pool{New: func() any { return new([largeSize]byte) }}
