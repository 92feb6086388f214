package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// message is an HTTP message as it came over a connection.
type message struct {
	line    string   // start line
	fields  []string // field lines as sent, without CRLF
	body    []byte   // without chunked framing
	trailer string   // trailer lines of a chunked body, with CRLF
}

// field returns the value of the first field of that name.
func (m *message) field(name string) string {
	for _, f := range m.fields {
		if n, v, _ := strings.Cut(f, ":"); strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// readHead reads a message up to its empty line.
func readHead(r *bufio.Reader) (*message, error) {
	m := new(message)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if m.line != "" || line != "" {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch {
		case line == "":
			return m, nil
		case m.line == "":
			m.line = line
		default:
			m.fields = append(m.fields, line)
		}
	}
}

// readBody reads the body of a message by its framing. A response without one
// ends with its connection, a request without one has no body. On an error the
// body holds what came before.
func (m *message) readBody(r *bufio.Reader, request bool) error {
	var buf bytes.Buffer
	defer func() { m.body = buf.Bytes() }()
	if strings.EqualFold(m.field("transfer-encoding"), "chunked") {
		return m.readChunks(r, &buf)
	}
	if s := m.field("content-length"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("read content-length: %w", err)
		}
		if _, err = io.CopyN(&buf, r, n); errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if request {
		return nil
	}
	_, err := buf.ReadFrom(r)
	return err
}

func (m *message) readChunks(r *bufio.Reader, buf *bytes.Buffer) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return cutShort(err)
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil {
			return fmt.Errorf("read chunk size: %w", err)
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(buf, r, n); err != nil {
			return cutShort(err)
		}
		if _, err := io.CopyN(io.Discard, r, 2); err != nil { // the CRLF behind a chunk
			return cutShort(err)
		}
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return cutShort(err)
		}
		if line == "\r\n" {
			return nil
		}
		m.trailer += line
	}
}

// cutShort turns the end of a connection in the middle of a message into an error
// that cannot be taken for a clean end.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// changed are the fields that docs/transparency.md says may differ on the two
// sides: those of one connection, the address of the provider, and our own id.
var changed = map[string]bool{
	"host": true, "connection": true, "keep-alive": true, "proxy-connection": true, "proxy-authorization": true,
	"te": true, "expect": true, "x-spanwire-call-id": true,
}

// digest is the SHA-256 of everything in a message that must arrive as it was
// sent: start line, fields in their order and case, body, trailer. prefix is
// what the provider's name adds to a path.
func (m *message) digest(prefix string) string {
	if m == nil {
		return ""
	}
	h := sha256.New()
	io.WriteString(h, strings.Replace(m.line, " "+prefix+"/", " /", 1)+"\n")
	for _, f := range m.fields {
		if name, _, _ := strings.Cut(f, ":"); !changed[strings.ToLower(name)] {
			io.WriteString(h, f+"\n")
		}
	}
	io.WriteString(h, "\n")
	h.Write(m.body)
	io.WriteString(h, m.trailer)
	return hex.EncodeToString(h.Sum(nil))
}
