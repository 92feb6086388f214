// Package sigv4test checks AWS signatures as AWS does, for the tests of whatever
// signs: written from the specification alone ("Create a signed AWS API request" in
// the IAM user guide), without the library that makes them.
package sigv4test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What an Authority says of a request, as AWS calls it.
var (
	ErrMissing   = errors.New("MissingAuthenticationToken")
	ErrForm      = errors.New("IncompleteSignature")
	ErrClient    = errors.New("UnrecognizedClientException")
	ErrToken     = errors.New("InvalidClientTokenId")
	ErrTime      = errors.New("InvalidSignatureException: the time is too far from ours")
	ErrSignature = errors.New("InvalidSignatureException: it does not match")
	ErrPayload   = errors.New("XAmzContentSHA256Mismatch")
)

// Authority knows the secrets that signatures are made with.
type Authority struct {
	Region, Service string
	Keys            map[string]Key // by access key id
	Now             time.Time
}

// Key is a secret, and the session token that goes with it, if it is a temporary one.
type Key struct{ Secret, Token string }

// maxSkew is how far a signature's time may be from now.
const maxSkew = 5 * time.Minute

type field struct{ name, value string }

// Verify says what is wrong with a request, nil for nothing. head is as it came over
// the wire: the request line and the field lines.
func (a Authority) Verify(head string, body []byte) error {
	line, rest, _ := strings.Cut(head, "\r\n")
	start := strings.Split(line, " ")
	if len(start) != 3 {
		return fmt.Errorf("%w: request line %q", ErrForm, line)
	}
	var fields []field
	for l := range strings.SplitSeq(strings.TrimRight(rest, "\r\n"), "\r\n") {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return fmt.Errorf("%w: field line %q", ErrForm, l)
		}
		fields = append(fields, field{strings.ToLower(name), value})
	}
	auth := only(fields, "authorization")
	if auth == "" {
		return ErrMissing
	}
	id, scope, signed, signature, err := parse(auth)
	if err != nil {
		return err
	}
	key, ok := a.Keys[id]
	if !ok {
		return ErrClient
	}
	if only(fields, "x-amz-security-token") != key.Token {
		return ErrToken
	}
	date := only(fields, "x-amz-date")
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return fmt.Errorf("%w: date %q", ErrForm, date)
	}
	if want := date[:8] + "/" + a.Region + "/" + a.Service + "/aws4_request"; scope != want {
		return fmt.Errorf("%w: scope %q, want %q", ErrSignature, scope, want)
	}
	if a.Now.Sub(at).Abs() > maxSkew {
		return ErrTime
	}
	if err := complete(fields, signed); err != nil {
		return err
	}
	digest := hexSum(body)
	if told := only(fields, "x-amz-content-sha256"); told != "" && told != digest {
		return ErrPayload
	}
	canonical := request(start[0], start[1], fields, signed, digest)
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hexSum([]byte(canonical))
	k := []byte("AWS4" + key.Secret)
	for _, part := range []string{date[:8], a.Region, a.Service, "aws4_request", text} {
		k = mac(k, part)
	}
	if want := hex.EncodeToString(k); want != signature {
		return fmt.Errorf("%w: the canonical request is\n%s", ErrSignature, canonical)
	}
	return nil
}

// only returns the value of a field that may be there once; of more it is "twice".
func only(fields []field, name string) string {
	value := ""
	for _, f := range fields {
		if f.name == name {
			if value != "" {
				return "twice"
			}
			value = strings.TrimSpace(f.value)
		}
	}
	return value
}

func parse(auth string) (id, scope string, signed []string, signature string, err error) {
	list, ok := strings.CutPrefix(auth, "AWS4-HMAC-SHA256 ")
	if !ok {
		return "", "", nil, "", fmt.Errorf("%w: algorithm", ErrForm)
	}
	for part := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			id, scope, _ = strings.Cut(value, "/")
		case "SignedHeaders":
			signed = strings.Split(value, ";")
		case "Signature":
			signature = value
		}
	}
	if id == "" || scope == "" || signed == nil || len(signature) != 64 || !slices.IsSorted(signed) {
		return "", "", nil, "", fmt.Errorf("%w: Authorization", ErrForm)
	}
	return id, scope, signed, signature, nil
}

// complete says whether all fields are signed that must be, and all that are signed
// are there.
func complete(fields []field, signed []string) error {
	if !slices.Contains(signed, "host") {
		return fmt.Errorf("%w: host is not signed", ErrForm)
	}
	for _, f := range fields {
		if (f.name == "content-type" || strings.HasPrefix(f.name, "x-amz-")) && !slices.Contains(signed, f.name) {
			return fmt.Errorf("%w: %s is not signed", ErrForm, f.name)
		}
	}
	for _, name := range signed {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			return fmt.Errorf("%w: %s is signed and not there", ErrSignature, name)
		}
	}
	return nil
}

// request is the canonical request.
func request(method, target string, fields []field, signed []string, digest string) string {
	path, query, _ := strings.Cut(target, "?")
	var b strings.Builder
	b.WriteString(method + "\n" + encode(clean(path), true) + "\n" + parameters(query) + "\n")
	for _, name := range signed {
		var values []string
		for _, f := range fields {
			if f.name == name {
				values = append(values, strings.Join(strings.FieldsFunc(f.value, func(r rune) bool { return r == ' ' }), " "))
			}
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + digest)
	return b.String()
}

// clean removes empty and dot segments (RFC 3986, section 5.2.4).
func clean(path string) string {
	in, stack := strings.Split(path, "/"), []string{}
	for i, part := range in {
		last := i == len(in)-1
		switch {
		case part == "..":
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
			if last {
				stack = append(stack, "")
			}
		case part == ".":
			if last {
				stack = append(stack, "")
			}
		case part != "" || last:
			stack = append(stack, part)
		}
	}
	return "/" + strings.Join(stack, "/")
}

// parameters is the canonical query: encoded anew, sorted by name, then by value.
func parameters(query string) string {
	if query == "" {
		return ""
	}
	var list []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		list = append(list, encode(decode(name), false)+"\x00"+encode(decode(value), false))
	}
	slices.Sort(list)
	return strings.ReplaceAll(strings.Join(list, "&"), "\x00", "=")
}

func decode(s string) string {
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if raw, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.Write(raw)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// encode escapes every byte but the unreserved ones.
func encode(s string, slash bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, c == '/' && slash:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
