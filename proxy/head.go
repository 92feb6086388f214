package proxy

import (
	"bytes"
	"errors"
	"math"
)

var (
	errShort    = errors.New("the head is not complete yet")
	errBareLF   = errors.New("a line ends in LF without CR")
	errLine     = errors.New("malformed start line")
	errField    = errors.New("malformed header field")
	errLength   = errors.New("malformed or contradicting Content-Length")
	errEncoding = errors.New("unsupported or contradicting Transfer-Encoding")
	errHost     = errors.New("missing or repeated Host")
	errVersion  = errors.New("unsupported HTTP version")
	errChunk    = errors.New("malformed chunked framing")
)

// head is a parsed message head. Its slices point into the bytes it was read from.
type head struct {
	n      int    // length of the whole head, with the closing empty line
	line   []byte // start line without CRLF
	fields []byte // field lines, each with its CRLF

	method, target []byte // requests
	status         int    // responses
	reason         []byte // responses: what follows "HTTP/1.x ", status and reason as sent

	length  int64 // Content-Length; -1 when there is none
	chunked bool
	http10  bool
	close   bool // Connection: close
	expect  bool // Expect: 100-continue; whoever speaks HTTP/1.0 waits for nothing
	upgrade bool // Connection: upgrade, and Upgrade: websocket

	host, origin, site []byte // requests: Host, Origin and Sec-Fetch-Site

	nominated [][]byte // field names that Connection lists, other than those above
}

// findEnd returns the length of the head at the start of b, errShort when its
// end has not come yet, or what is wrong with its lines. from says how much was searched before.
func findEnd(b []byte, from int) (int, error) {
	for i := max(from-1, 0); ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0, errShort
		}
		i += j
		if i == 0 || b[i-1] != '\r' {
			return 0, errBareLF
		}
		if i == 1 {
			return 0, errLine // no start line
		}
		if i >= 3 && b[i-2] == '\n' {
			return i + 1, nil
		}
		i++
	}
}

// parseRequest reads the head b, which findEnd has measured.
func (h *head) parseRequest(b []byte) error {
	h.start(b)
	sp := bytes.IndexByte(h.line, ' ')
	last := bytes.LastIndexByte(h.line, ' ')
	if sp <= 0 || last <= sp+1 {
		return errLine
	}
	h.method, h.target = h.line[:sp], h.line[sp+1:last]
	switch string(h.line[last+1:]) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.http10, h.close = true, true
	default:
		return errVersion
	}
	for _, c := range h.method {
		if !token(c) {
			return errLine
		}
	}
	for _, c := range h.target {
		if c <= ' ' || c == 0x7f {
			return errLine
		}
	}
	hosts, err := h.parseFields()
	if err != nil {
		return err
	}
	if hosts > 1 || hosts == 0 && !h.http10 {
		return errHost
	}
	if h.chunked && (h.length >= 0 || h.http10) {
		return errEncoding
	}
	return nil
}

// parseResponse reads the head b, which findEnd has measured.
func (h *head) parseResponse(b []byte) error {
	h.start(b)
	l := h.line
	if len(l) < 12 || string(l[:7]) != "HTTP/1." || l[8] != ' ' || len(l) > 12 && l[12] != ' ' {
		return errLine
	}
	for _, c := range l[9:12] {
		if c < '0' || c > '9' {
			return errLine
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return errLine
	}
	h.reason = l[9:]
	switch l[7] {
	case '1':
	case '0':
		h.http10, h.close = true, true
	default:
		return errVersion
	}
	if _, err := h.parseFields(); err != nil {
		return err
	}
	if h.chunked && h.length >= 0 {
		return errEncoding
	}
	return nil
}

func (h *head) start(b []byte) {
	*h = head{n: len(b), length: -1, nominated: h.nominated[:0]}
	i := bytes.IndexByte(b, '\n')
	h.line = b[:i-1]
	h.fields = b[i+1 : len(b)-2]
}

// parseFields reads what decides framing, the connection and who asks, and checks the form
// of every field: a name of token characters right before its colon, no folded
// lines, no control characters. It returns how many Host fields there are.
func (h *head) parseFields() (hosts int, err error) {
	rest, websocket := h.fields, false
	for len(rest) > 0 {
		var name, value []byte
		if name, value, rest, err = nextField(rest); err != nil {
			return hosts, err
		}
		switch len(name) {
		case 4:
			if fold(name, "host") {
				hosts++
				h.host = value
			}
		case 6:
			switch {
			case fold(name, "expect"):
				h.expect = h.expect || fold(value, "100-continue")
			case fold(name, "origin"):
				h.origin = value
			}
		case 7:
			websocket = websocket || fold(name, "upgrade") && fold(value, "websocket")
		case 10:
			if fold(name, "connection") {
				h.connection(value)
			}
		case 14:
			switch {
			case fold(name, "content-length"):
				n, ok := decimal(value)
				if !ok || h.length >= 0 {
					return hosts, errLength
				}
				h.length = n
			case fold(name, "sec-fetch-site"):
				h.site = value
			}
		case 17:
			if fold(name, "transfer-encoding") {
				if h.chunked || !fold(value, "chunked") {
					return hosts, errEncoding
				}
				h.chunked = true
			}
		}
	}
	// Other protocols are not offered to the other side: h2c, which some clients
	// offer with every request, would end in frames that nobody here reads.
	h.upgrade = h.upgrade && websocket
	return hosts, nil
}

func (h *head) connection(value []byte) {
	for len(value) > 0 {
		var opt []byte
		opt, value, _ = bytes.Cut(value, []byte{','})
		opt = bytes.Trim(opt, " \t")
		switch {
		case len(opt) == 0:
		case fold(opt, "close"):
			h.close = true
		case fold(opt, "keep-alive"):
		case fold(opt, "upgrade"):
			h.upgrade = true
		default:
			h.nominated = append(h.nominated, opt)
		}
	}
}

// nextField cuts the first field line off b, which ends in CRLF.
func nextField(b []byte) (name, value, rest []byte, err error) {
	i := bytes.IndexByte(b, '\n')
	line, rest := b[:i-1], b[i+1:]
	j := bytes.IndexByte(line, ':')
	if j <= 0 {
		return nil, nil, nil, errField
	}
	for _, c := range line[:j] {
		if !token(c) {
			return nil, nil, nil, errField
		}
	}
	value = bytes.Trim(line[j+1:], " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, nil, errField
		}
	}
	return line[:j], value, rest, nil
}

// hopByHop says whether a field belongs to one connection only and is not sent on
// (RFC 9110 section 7.6.1). Framing fields and Host are never among them, whatever
// Connection lists: removing them would change where a message ends.
func (h *head) hopByHop(name []byte) bool {
	switch len(name) {
	case 2:
		if fold(name, "te") {
			return true
		}
	case 7:
		if fold(name, "upgrade") {
			return !h.upgrade
		}
	case 10:
		if fold(name, "connection") {
			return !h.upgrade
		}
		if fold(name, "keep-alive") {
			return true
		}
	case 16:
		if fold(name, "proxy-connection") {
			return true
		}
	case 19:
		if fold(name, "proxy-authorization") {
			return true
		}
	}
	for _, n := range h.nominated {
		if bytes.EqualFold(n, name) && !fold(name, "host") && !fold(name, "content-length") && !fold(name, "transfer-encoding") {
			return true
		}
	}
	return false
}

// fold compares a name with a lower-case text without regard to case.
func fold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func decimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// token says whether c may stand in a method or field name (RFC 9110 section 5.6.2).
func token(c byte) bool { return tokens[c] }

var tokens = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()
