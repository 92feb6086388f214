package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// listen opens the address of a key. When it is taken the error says by whom, as
// far as this machine tells, and how to choose another.
func listen(key, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err == nil {
		return ln, nil
	}
	hint := fmt.Sprintf("choose another with --%s, %s: in the configuration or SPANWIRE_%s", key, key, strings.ToUpper(key))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		who := "another process"
		if p := listener(address); p != "" {
			who = p
		}
		return nil, fmt.Errorf("%s: %s is in use by %s: stop it, or %s", key, address, who, hint)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: %s needs more rights than this process has: %s", key, address, hint)
	}
	return nil, fmt.Errorf("%s: %w: %s", key, err, hint)
}

// listener names the process that listens on the port of an address, from Linux's
// /proc; "" when that cannot be told (other systems, other users' processes).
func listener(address string) string {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return ""
	}
	sockets := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, inode := range listening(string(b), port) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well-formed
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !sockets[target] {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			return "process " + pid
		}
		return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
	}
	return ""
}

// listening returns the inodes of the sockets that listen on a port, from the
// text of /proc/net/tcp (proc(5)).
func listening(table string, port uint64) []string {
	const listenState = "0A"
	var out []string
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != listenState {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if p, err := strconv.ParseUint(hex, 16, 16); err == nil && p == port {
			out = append(out, f[9])
		}
	}
	return out
}
