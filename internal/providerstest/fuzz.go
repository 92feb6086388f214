package providerstest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

// SmallRecordings returns the recordings that keep selects and whose response has at
// most so many bytes: small enough to be changed bit by bit. There are none where no
// recordings are: a fuzz target then begins with the fixtures alone.
func SmallRecordings(f *testing.F, most int, keep func(Recording) bool) []Recording {
	f.Helper()
	if !HasRecordings(f) {
		return nil
	}
	return Recordings(f, func(r Recording) bool { return len(r.Response) <= most && keep(r) })
}

// FuzzResponse fuzzes the reading of a response under each of the media types,
// beginning with fixtures and recordings: whatever its bytes, it reads, to a call that
// can be written, and to the same call however it is cut.
func FuzzResponse(f *testing.F, d Dialect, fs []Fixture, rs []Recording, media ...string) {
	f.Helper()
	for _, x := range fs {
		f.Add(x.Method, x.Target, x.Response, uint8(7))
	}
	for _, r := range rs {
		f.Add(r.Method, r.Target, r.Response, uint8(33))
	}
	f.Fuzz(func(t *testing.T, method, target string, body []byte, n uint8) {
		for _, m := range media {
			x := Fixture{Method: method, Target: target, ResponseHeader: llm.Header("Content-Type: " + m + "\r\n"), Response: body}.Exchange()
			whole, err := d.Read(x, body)
			if err != nil {
				t.Fatal(err)
			}
			cut, err := d.Read(x, Cut(body, int(n)+1)...)
			if err != nil {
				t.Fatal(err)
			}
			a, b := written(t, whole), written(t, cut)
			if a != b {
				t.Fatalf("%s, pieces of %d:\n%s\nwhole:\n%s", m, int(n)+1, b, a)
			}
		}
	})
}

// FuzzRequest fuzzes the reading of a request, whole, and with a gap behind the first
// head bytes, beginning with fixtures and recordings: whatever its bytes, they stay as
// they are, and what is read of them can be written. What a dialect promises beyond
// that of a copy with a gap, and the error it reads to, is for kept to check.
func FuzzRequest(f *testing.F, d Dialect, fs []Fixture, rs []Recording, kept ...func(*testing.T, *llm.Exchange, error)) {
	f.Helper()
	add := func(target string, body []byte) {
		f.Add(target, body, 0)
		f.Add(target, body, len(body)/2)
	}
	for _, x := range fs {
		add(x.Target, x.Request)
	}
	for _, r := range rs {
		add(r.Target, r.Request)
	}
	f.Fuzz(func(t *testing.T, target string, body []byte, head int) {
		x := Fixture{Target: target, Request: body}.Exchange()
		before := bytes.Clone(body)
		read := func() error {
			c := &llm.Call{Kind: llm.KindHTTP}
			err := d.ReadRequest(c, x)
			if !bytes.Equal(before, body) {
				t.Fatal("the body was changed")
			}
			written(t, c)
			return err
		}
		_ = read()
		x.Request.Truncated, x.Request.Head = true, head
		err := read()
		for _, check := range kept {
			check(t, x, err)
		}
	})
}

// written renders a call, which must be possible.
func written(t *testing.T, c *llm.Call) string {
	t.Helper()
	shown := Show(c)
	if strings.HasPrefix(shown, "not representable") {
		t.Fatal(shown)
	}
	return shown
}
