//go:build !unix

package proxy

import "net"

type rawReader struct{}

func newRawReader(net.Conn) *rawReader { return nil }

func (*rawReader) read() (*[bufSize]byte, int, error) { panic("BUG: no raw reads on this system") }

// stale cannot be told here without reading; a dead connection shows at its first use.
func stale(net.Conn) bool { return false }
