//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ignoreFileLimit makes a file that is as large as it may be (ulimit -f) an error of
// the write, as a full disk is. The signal that comes with it would end the program.
func ignoreFileLimit() { signal.Ignore(syscall.SIGXFSZ) }
