package eventstream_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/eventstream"
)

// split reads body in pieces of step bytes, each overwritten after it was read.
func split(s *eventstream.Splitter, body []byte, step int) (got []string) {
	for len(body) > 0 {
		p := bytes.Clone(body[:min(step, len(body))])
		body = body[len(p):]
		s.Feed(p)
		for m, ok := s.Next(); ok; m, ok = s.Next() {
			got = append(got, fmt.Sprintf("%s %s %s", m.Header(":message-type"), m.Header(":event-type"), m.Payload))
		}
		for i := range p {
			p[i] = '#'
		}
	}
	return got
}

func three() []byte {
	b := eventstream.Append(nil, []byte(`{"a":1}`), ":event-type", "one", ":message-type", "event")
	b = eventstream.Append(b, nil, ":message-type", "event")
	return eventstream.Append(b, bytes.Repeat([]byte("x"), 300), ":event-type", "three", ":message-type", "event")
}

func TestAnyCut(t *testing.T) {
	body := three()
	want := fmt.Sprint([]string{`event one {"a":1}`, "event  ", "event three " + strings.Repeat("x", 300)})
	for step := 1; step <= len(body); step++ {
		s := &eventstream.Splitter{}
		if got := fmt.Sprint(split(s, body, step)); got != want || s.Dropped != 0 || s.Lost() || s.Pending() != 0 {
			t.Fatalf("step %d: %s, dropped %d, lost %v", step, got, s.Dropped, s.Lost())
		}
	}
	for k := range body {
		s := &eventstream.Splitter{}
		got := split(s, body[:k], 7)
		if s.Lost() || s.Dropped > 0 || len(got) == 3 || s.Pending() == 0 && len(got) == 0 && k > 0 {
			t.Fatalf("cut at %d: %q, pending %d", k, got, s.Pending())
		}
	}
}

// A message that another program made: the test does not lean on our own writer.
func TestKnownBytes(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString("AAAAPQAAACAH/YOWDGNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb257J2Zvbyc6J2Jhcid9jZwIsQ==")
	if err != nil {
		t.Fatal(err)
	}
	s := &eventstream.Splitter{}
	s.Feed(b)
	m, ok := s.Next()
	if !ok || string(m.Header("content-type")) != "application/json" || string(m.Payload) != "{'foo':'bar'}" {
		t.Errorf("%v %q %q, lost %v, dropped %d", ok, m.Headers, m.Payload, s.Lost(), s.Dropped)
	}
}

func TestWrongChecksums(t *testing.T) {
	body := three()
	first := int(binary.BigEndian.Uint32(body))
	for _, step := range []int{1, 7, len(body)} {
		for i := range first {
			damaged := bytes.Clone(body)
			damaged[i] ^= 1
			s := &eventstream.Splitter{}
			got := split(s, damaged, step)
			switch {
			case i < 12 && (!s.Lost() || len(got) != 0):
				t.Fatalf("step %d, byte %d of a prelude: %q, lost %v", step, i, got, s.Lost())
			case i >= 12 && (s.Lost() || s.Dropped != 1 || len(got) != 2):
				t.Fatalf("step %d, byte %d of a message: %q, dropped %d", step, i, got, s.Dropped)
			}
		}
	}
}

func TestTooLarge(t *testing.T) {
	for _, step := range []int{1, 5, 100, 10_000} {
		s := &eventstream.Splitter{MaxMessage: 100}
		if got := split(s, three(), step); len(got) != 2 || s.Dropped != 1 || s.Lost() {
			t.Errorf("step %d: %q, dropped %d", step, got, s.Dropped)
		}
	}
	// A length that promises gigabytes costs nothing.
	huge := make([]byte, 12)
	binary.BigEndian.PutUint32(huge, 1<<32-1)
	binary.BigEndian.PutUint32(huge[8:], crc32.ChecksumIEEE(huge[:8]))
	s := &eventstream.Splitter{}
	split(s, append(huge, make([]byte, 1000)...), 9)
	if s.Dropped != 1 || s.Lost() || s.Pending() != 0 {
		t.Errorf("dropped %d, lost %v, pending %d", s.Dropped, s.Lost(), s.Pending())
	}
}

func TestHeaders(t *testing.T) {
	head := "\x01b\x00" + "\x01c\x01" + "\x01i\x02\x01" + "\x01s\x03\x00\x01" + "\x01l\x04\x00\x00\x00\x01" + "\x01q\x05\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x01x\x06\x00\x02zz" + "\x01t\x08\x00\x00\x00\x00\x00\x00\x00\x01" + "\x01u\x09" + strings.Repeat("u", 16) + "\x04name\x07\x00\x05value"
	f := func(headers, name, want string) {
		t.Helper()
		if got := string((eventstream.Message{Headers: []byte(headers)}).Header(name)); got != want {
			t.Errorf("%q in %q: %q, want %q", name, headers, got, want)
		}
	}
	f(head, "name", "value")
	f(head, "b", "") // no text
	f(head, "other", "")
	f("\x04name\x0a\x00\x05value", "name", "") // no such type
	f("\xffname", "name", "")
	for k := range head {
		f(head[:k], "name", "")
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add(three(), uint8(3))
	f.Add(three()[:50], uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, step uint8) {
		a, b := &eventstream.Splitter{MaxMessage: 1 << 16}, &eventstream.Splitter{MaxMessage: 1 << 16}
		one, many := split(a, body, max(len(body), 1)), split(b, body, int(step)+1)
		if fmt.Sprint(one) != fmt.Sprint(many) || a.Dropped != b.Dropped || a.Lost() != b.Lost() {
			t.Fatalf("at once %q %d %v\nin pieces %q %d %v", one, a.Dropped, a.Lost(), many, b.Dropped, b.Lost())
		}
	})
}
