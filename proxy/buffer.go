package proxy

import "sync"

// bufSize fits a request head with a prompt of ordinary size, and what one read
// from a provider brings. Buffers are held only while they hold something: a
// connection that waits owns none.
const bufSize = 16 << 10

var bufs = sync.Pool{New: func() any { return new([bufSize]byte) }}

func getBuf() *[bufSize]byte  { return bufs.Get().(*[bufSize]byte) }
func putBuf(b *[bufSize]byte) { bufs.Put(b) }
