package journal

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/internal/sealed"
)

// Export writes the records of a range to w as JSON, one a line, and returns how
// many. Money is decimal text in US dollars, and exact; counts of tokens are by
// kind, those that are not there are unknown; text that is no UTF-8 has U+FFFD in
// its place. Places that cannot be read are passed over, and the error then names
// the first of them. Encrypted contents are opened by keys; with a nil ring they are
// left out, and the call says so.
//
// It takes no lock and may run beside the program that writes.
func Export(ctx context.Context, dir string, rng Range, keys *sealed.Keys, w io.Writer) (int64, error) {
	buf := bufio.NewWriterSize(w, 1<<20)
	e := exporter{rng: rng, keys: keys, out: json.NewEncoder(buf)}
	e.out.SetEscapeHTML(false)
	err := walk(ctx, dir, rng, &e)
	if flushErr := buf.Flush(); err == nil {
		err = flushErr
	}
	if err == nil && e.faults > 0 {
		err = fmt.Errorf("%d places cannot be read, the first: %w", e.faults, e.first)
	}
	if err != nil {
		return e.n, fmt.Errorf("export journal: %w", err)
	}
	return e.n, nil
}

type exporter struct {
	rng  Range
	keys *sealed.Keys
	out  *json.Encoder
	n    int64
	next uint64 // record expected; 0 before the first
	// skipped says that the place before was a fault already.
	skipped bool
	faults  int
	first   error
}

func (e *exporter) segment(*segment) error { return nil }
func (e *exporter) tail(int64)             {}

func (e *exporter) broken(s *segment, off int64, err error) error {
	e.fault(fmt.Errorf("%s, offset %d: %w", filepath.Base(s.path), off, err))
	e.skipped = true
	return nil
}

func (e *exporter) fault(err error) {
	if e.faults++; e.first == nil {
		e.first = err
	}
}

// line is a record as it is exported.
type line struct {
	Record     uint64          `json:"record"`
	Appended   time.Time       `json:"appended"`
	Hash       string          `json:"hash"`
	Prev       string          `json:"prev"`
	Call       *exportedCall   `json:"call,omitempty"`
	Checkpoint *exportedSignum `json:"checkpoint,omitempty"`
}

type exportedCall struct {
	callrecord.Facts
	callrecord.Said
	Dropped bool `json:"content_dropped,omitempty"`
	Sealed  bool `json:"content_encrypted,omitempty"` // and not opened
}

type exportedSignum struct {
	Key       string `json:"public_key"`
	Signature string `json:"signature"`
}

func (e *exporter) record(s *segment, off int64, r record) error {
	if e.next > 0 && r.seq != e.next && !e.skipped {
		e.fault(fmt.Errorf("%s, offset %d: record %d stands where %d should", filepath.Base(s.path), off, r.seq, e.next))
	}
	e.next, e.skipped = r.seq+1, false
	if !e.rng.holds(r.at) {
		return nil
	}
	out := line{Record: r.seq, Appended: r.at, Hash: hex.EncodeToString(r.sum[:]), Prev: hex.EncodeToString(r.prev[:])}
	var err error
	switch r.kind {
	case kindCall:
		out.Call = &exportedCall{Dropped: r.stripped()}
		err = callrecord.Unmarshal(r.facts, &out.Call.Facts)
		out.Call.Sealed = r.sealed() && e.keys == nil
		if err == nil && len(r.content) > 0 && !out.Call.Sealed {
			var said []byte
			if said, err = r.said(e.keys); err == nil {
				err = callrecord.Unmarshal(said, &out.Call.Said)
			}
		}
	case kindCheckpoint:
		var c checkpoint
		c, err = readCheckpoint(r)
		out.Checkpoint = &exportedSignum{hex.EncodeToString(c.Key), hex.EncodeToString(c.Signature)}
	}
	if err != nil {
		e.fault(fmt.Errorf("%s, offset %d: record %d: %w", filepath.Base(s.path), off, r.seq, err))
		return nil
	}
	e.n++
	return e.out.Encode(&out)
}
