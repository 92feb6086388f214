package journal

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
)

// sample returns a segment of calls and a checkpoint, in batches of three.
func sample(tb testing.TB) ([]byte, header) {
	tb.Helper()
	h := header{first: 5, created: time.Unix(1_800_000_000, 0).UTC(), salt: [16]byte{1, 2}, prev: hash{9}, id: [16]byte{3}}
	out := bytes.NewBuffer(h.bytes())
	at := record{version: plainVersion, seq: h.first, prev: h.prev, at: h.created, kind: kindCall}
	var e callrecord.Encoder
	add := func(facts, said func(*bytes.Buffer) error) {
		sum, err := appendFrame(out, h.salt, at, facts, said)
		if err != nil {
			tb.Fatal(err)
		}
		at.prev, at.seq, at.ago = sum, at.seq+1, (at.ago+1)%3
	}
	calls := append([]*llm.Call{sinktest.Call(1), sinktest.Call(2), {}, sinktest.Call(3)}, &llm.Call{ID: "odd", Attrs: []llm.Attr{{Key: "list", Value: []string{"a"}}}})
	for _, c := range calls {
		add(func(b *bytes.Buffer) error { return e.Facts(b, c) }, func(b *bytes.Buffer) error { return e.Said(b, c) })
	}
	at.kind = kindCheckpoint
	add(func(b *bytes.Buffer) error {
		return callrecord.Marshal(b, &checkpoint{Key: make([]byte, 32), Signature: make([]byte, 64)})
	}, func(*bytes.Buffer) error { return nil })
	return out.Bytes(), h
}

// FuzzRecord decodes any bytes as the facts and the content of a call. What can be
// decoded is encoded again and must be the same once more.
func FuzzRecord(f *testing.F) {
	var e callrecord.Encoder
	for _, c := range append(sinktest.Hostile()[4:], sinktest.Call(1), sinktest.Call(2)) {
		var facts, said bytes.Buffer
		if e.Facts(&facts, c) != nil || e.Said(&said, c) != nil {
			f.Fatal("a call cannot be encoded")
		}
		f.Add(facts.Bytes(), said.Bytes())
	}
	// A newer version: a key that is not known here.
	f.Add([]byte{0xa2, 0x01, 0x41, 'x', 0x19, 0x03, 0xe8, 0x82, 0x01, 0x02}, []byte{0xa1, 0x18, 0x63, 0xf6})
	f.Fuzz(func(t *testing.T, facts, said []byte) {
		c, err := decodeCall(record{kind: kindCall, facts: facts, content: said, size: len(said)}, nil)
		if err != nil {
			return
		}
		again := encodeDecode(t, c)
		if once := encodeDecode(t, again); !reflect.DeepEqual(once, again) && !hasNaN(c) {
			t.Errorf("%+v\nbecame\n%+v", again, once)
		}
	})
}

func encodeDecode(t *testing.T, c *llm.Call) *llm.Call {
	t.Helper()
	var e callrecord.Encoder
	var facts, said bytes.Buffer
	if err := e.Facts(&facts, c); err != nil {
		t.Fatal(err)
	}
	if err := e.Said(&said, c); err != nil {
		t.Fatal(err)
	}
	got, err := decodeCall(record{kind: kindCall, facts: facts.Bytes(), content: said.Bytes(), size: said.Len()}, nil)
	if err != nil {
		t.Fatalf("what was encoded here is not decoded: %v", err)
	}
	return got
}

func hasNaN(c *llm.Call) bool {
	for _, as := range [][]llm.Attr{c.Attrs, c.Attribution.Metadata} {
		for _, a := range as {
			if f, ok := a.Value.(float64); ok && f != f {
				return true
			}
		}
	}
	return false
}

// FuzzSegment reads any bytes as a segment: as Open does, and as a follower does.
// Neither fails or loops, and what one finds the other finds.
func FuzzSegment(f *testing.F) {
	data, _ := sample(f)
	f.Add(data, 0, 0)
	f.Add(data, 400, 1)
	f.Add(data[:len(data)-30], 200, 7)
	f.Add(append(bytes.Clone(data[:700]), make([]byte, 500)...), 700, 0)
	f.Add(append(bytes.Clone(data[:500]), data[600:]...), 0, 0)
	f.Fuzz(func(t *testing.T, data []byte, at, value int) {
		if len(data) < segmentHead {
			return // has no header, and is never read further
		}
		data = bytes.Clone(data)
		if at > 0 && at < len(data) {
			data[at] = byte(value)
		}
		h, err := parseHeader(data)
		if err != nil {
			_, h = sample(t) // the records may make sense all the same
		}
		size := int64(len(data))
		end, err := examineRecords(newScanner(bytes.NewReader(data), h.salt, size), h.first, h.prev)
		if err != nil {
			t.Fatal(err)
		}
		if end.at > size || end.next < h.first {
			t.Fatalf("the end is %+v of %d bytes", end, size)
		}
		// Cut there it is whole, unless it is damaged.
		if !end.damaged && end.at < size {
			again, err := examineRecords(newScanner(bytes.NewReader(data), h.salt, end.at), h.first, h.prev)
			if err != nil || again.next != end.next || again.sum != end.sum || again.reason != "" {
				t.Fatalf("cut off at %d it is %+v, %v", end.at, again, err)
			}
		}
		r := reader{scan: newScanner(bytes.NewReader(data), h.salt, size), at: h.first}
		p := span{first: h.first, end: end.next, size: size}
		got := int64(0)
		for seq := h.first; seq < end.next; {
			b, err := r.records(p, seq)
			if errors.Is(err, sealed.ErrNoKey) {
				return // a follower waits for the key
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.next <= seq {
				t.Fatalf("a follower stays at record %d", seq)
			}
			got += int64(len(b.calls)) + b.missing
			seq = b.next
		}
		if got > int64(end.next-h.first) {
			t.Fatalf("%d records of %d", got, end.next-h.first)
		}
	})
}

func TestSampleIsWhole(t *testing.T) {
	data, h := sample(t)
	end, err := examineRecords(newScanner(bytes.NewReader(data), h.salt, int64(len(data))), h.first, h.prev)
	if err != nil || end.damaged || end.next != h.first+6 || end.at != int64(len(data)) || end.unsigned != 0 {
		t.Errorf("%+v, %v", end, err)
	}
}

// FuzzCursor reads any bytes as a slot of a cursor.
func FuzzCursor(f *testing.F) {
	f.Add([]byte(cursorMagic + "12345678" + "12345678" + "\x00\x00\x00\x00" + "abcd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, next, ok := parseCursor(b); ok && next == 0 {
			t.Error("no record has number 0")
		}
	})
}
