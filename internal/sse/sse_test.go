package sse_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/sse"
)

// read feeds pieces and renders what comes out, one line an event.
func read(s *sse.Splitter, pieces ...[]byte) []string {
	var out []string
	add := func(ev sse.Event) {
		line := fmt.Sprintf("%s|%q", ev.Name, ev.Data)
		if !ev.HasData {
			line = fmt.Sprintf("%s|-", ev.Name)
		}
		if ev.Comments > 0 {
			line += fmt.Sprintf("|%d comments", ev.Comments)
		}
		if ev.Unknown > 0 {
			e, _ := ev.Field("error")
			line += fmt.Sprintf("|unknown %q", e)
		}
		out = append(out, line)
	}
	for _, p := range pieces {
		own := bytes.Clone(p)
		s.Feed(own)
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			add(ev)
		}
		clear(own) // what is kept must have been copied
	}
	if ev, ok := s.Rest(); ok {
		add(ev)
	}
	return out
}

func TestEvents(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		if got := read(&sse.Splitter{}, []byte(in)); !slices.Equal(got, want) {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
	// Line ends.
	f("data: a\n\ndata: b\n\n", `|"a"`, `|"b"`)
	f("data: a\r\n\r\ndata: b\r\n\r\n", `|"a"`, `|"b"`)
	f("data: a\r\rdata: b\r\r", `|"a"`, `|"b"`)
	f("data: a\n\r\ndata: b\r\n\n", `|"a"`, `|"b"`)
	// One blank is taken off, and no more.
	f("data:a\n\ndata:  b \n\n", `|"a"`, `|" b "`)
	// Several data lines join with LF; an empty one counts.
	f("data: a\ndata\ndata: b\n\n", `|"a\n\nb"`)
	f("data\n\n", `|""`)
	// Names, ids, comments, blank lines.
	f("event: ping\nid: 7\nretry: 1\ndata: {}\n\n", `ping|"{}"`)
	f(": hello\n\n\n\n:again\ndata: x\n\n", `|-|1 comments`, `|"x"|1 comments`)
	// The last event without its blank line, or without any line end.
	f("data: a\n\ndata: b\n", `|"a"`, `|"b"`)
	f("data: b", `|"b"`)
	// An unknown field is in reach.
	f("error: {\"code\":500}\n\n", `|-|unknown "{\"code\":500}"`)
	// A byte order mark is no part of the first field's name.
	f("\xef\xbb\xbfdata: a\n\n", `|"a"`)
	f("\n\n\n", []string{}...)
	f("id: 1\n\n", []string{}...)
}

func TestAnyCutReadsTheSame(t *testing.T) {
	in := []byte("\xef\xbb\xbf: c\r\n\r\nevent: é\ndata: ü\r\ndata: 2\n\nerror: x\r\rdata: [DONE]\n\n\r\ndata: é")
	want := read(&sse.Splitter{}, in)
	for i := range in {
		for j := i; j < len(in); j++ {
			if got := read(&sse.Splitter{}, in[:i], in[i:j], in[j:]); !slices.Equal(got, want) {
				t.Fatalf("cut at %d and %d:\ngot  %q\nwant %q", i, j, got, want)
			}
		}
	}
	var single [][]byte
	for i := range in {
		single = append(single, in[i:i+1])
	}
	if got := read(&sse.Splitter{}, single...); !slices.Equal(got, want) {
		t.Fatalf("byte by byte:\ngot  %q\nwant %q", got, want)
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	in := []byte("data: " + long + "\n\ndata: b\n\n")
	var pieces [][]byte
	for p := range slices.Chunk(in, 4096) {
		pieces = append(pieces, p)
	}
	if got := read(&sse.Splitter{}, pieces...); len(got) != 2 || len(got[0]) < 300_000 || got[1] != `|"b"` {
		t.Fatalf("%d events", len(got))
	}
}

func TestTooLargeEventIsDroppedAndCounted(t *testing.T) {
	for _, piece := range []int{1, 7, 64} {
		s := &sse.Splitter{MaxEvent: 100}
		in := []byte("data: a\n\ndata: " + strings.Repeat("x", 500) + "\n\ndata: b\n\ndata: " + strings.Repeat("y", 300))
		var pieces [][]byte
		for p := range slices.Chunk(in, piece) {
			pieces = append(pieces, p)
		}
		if got := read(s, pieces...); !slices.Equal(got, []string{`|"a"`, `|"b"`}) {
			t.Errorf("pieces of %d: %q", piece, got)
		}
		if s.Dropped != 2 {
			t.Errorf("pieces of %d: %d dropped, want 2", piece, s.Dropped)
		}
	}
}

func TestPending(t *testing.T) {
	s := &sse.Splitter{}
	f := func(p string, want bool) {
		t.Helper()
		s.Feed([]byte(p))
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
		if s.Pending() != want {
			t.Errorf("after %q: pending %v", p, s.Pending())
		}
	}
	f("data: a", true)
	f("\n", true)
	f("\r", false)
	f("\n", false)
	f("d", true)
}

func TestNoAllocationForWholeEvents(t *testing.T) {
	piece := []byte("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n: ping\n\nevent: x\ndata: y\n\n")
	s := &sse.Splitter{}
	n := testing.AllocsPerRun(100, func() {
		s.Feed(piece)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a piece", n)
	}
}

// The scanner gives every byte to one event, and the ends are where the splitter sees them.
func TestScannerCoversAllBytes(t *testing.T) {
	in := []byte("data: a\r\n\r\n\ndata: b\n\n: c\r\rdata: d")
	for cut := range in {
		var s sse.Scanner
		var n, ends int
		for _, p := range [][]byte{in[:cut], in[cut:]} {
			for len(p) > 0 {
				k, end := s.Next(p)
				if k <= 0 || k > len(p) {
					t.Fatalf("%d of %d bytes", k, len(p))
				}
				n, p = n+k, p[k:]
				if end {
					ends++
				}
			}
		}
		if n != len(in) || ends != 4 { // the three events and the blank line between
			t.Fatalf("cut at %d: %d bytes, %d ends", cut, n, ends)
		}
	}
}

func FuzzAnyCut(f *testing.F) {
	f.Add([]byte("data: a\n\ndata: b\r\n\r\n: c\n\nerror: x\n\ndata: {\"a\":1}"), uint64(1))
	f.Add([]byte("\r\n\r\r\ndata\n\ndata:\n\n"), uint64(2))
	f.Add([]byte("\xef\xbb\xbfevent: e\ndata: 1\ndata: 2\n\n"), uint64(3))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		want := read(&sse.Splitter{}, in)
		r := rand.New(rand.NewPCG(seed, 0))
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 9))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got := read(&sse.Splitter{}, pieces...); !slices.Equal(got, want) {
			t.Fatalf("cut:\ngot  %q\nwant %q", got, want)
		}
		small := &sse.Splitter{MaxEvent: 20}
		if got := read(small, pieces...); len(got) > len(want) {
			t.Fatalf("a bounded splitter made events up: %q", got)
		}
	})
}
