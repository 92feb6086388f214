package journal

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Export writes the records of a range to w as JSON, one a line, and returns how
// many. Money is decimal text in US dollars, and exact; counts of tokens are by
// kind, those that are not there are unknown; text that is no UTF-8 has U+FFFD in
// its place. Places that cannot be read are passed over, and the error then names
// the first of them.
//
// It takes no lock and may run beside the program that writes.
func Export(ctx context.Context, dir string, rng Range, w io.Writer) (int64, error) {
	buf := bufio.NewWriterSize(w, 1<<20)
	e := exporter{rng: rng, out: json.NewEncoder(buf)}
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
	facts
	content
	Dropped bool `json:"content_dropped,omitempty"`
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
		err = decoding.Unmarshal(r.facts, &out.Call.facts)
		if err == nil && len(r.content) > 0 {
			err = decoding.Unmarshal(r.content, &out.Call.content)
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

// MarshalJSON writes RFC 3339, or the seconds since 1970 of a year that it cannot write.
func (m moment) MarshalJSON() ([]byte, error) {
	t := m.time()
	if y := t.Year(); y < 0 || y > 9999 {
		return json.Marshal(m.Sec)
	}
	return json.Marshal(t)
}

// MarshalJSON writes the counts by kind, beside where they are from.
func (u usage) MarshalJSON() ([]byte, error) {
	counts := map[string]int64{}
	u.each(func(k llm.UsageKind, n int64) { counts[k.String()] = n })
	return json.Marshal(struct {
		Counts       map[string]int64 `json:"counts,omitempty"`
		Source       llm.UsageSource  `json:"source,omitempty"`
		Tier         string           `json:"tier,omitempty"`
		Speed        string           `json:"speed,omitempty"`
		Region       string           `json:"region,omitempty"`
		Batch        bool             `json:"batch,omitempty"`
		Inconsistent bool             `json:"inconsistent,omitempty"`
	}{counts, u.Source, u.Tier, u.Speed, u.Region, u.Batch, u.Inconsistent})
}

// MarshalJSON writes amounts as decimal text. What is not known is not there.
func (c cost) MarshalJSON() ([]byte, error) {
	out := map[string]any{"source": c.Source, "status": c.Status}
	if llm.Cost(c).Known() {
		for name, amount := range map[string]llm.PicoUSD{
			"total": c.Total, "input": c.Input, "output": c.Output,
			"cache_read": c.CacheRead, "cache_write": c.CacheWrite, "tools": c.Tools,
		} {
			if amount != 0 || name == "total" {
				out[name+"_usd"] = amount.String()
			}
		}
	}
	if c.Price != "" {
		out["price"] = c.Price
	}
	if c.HasTable {
		out["table_usd"] = c.Table.String()
	}
	return json.Marshal(out)
}

// MarshalJSON writes ids as hex digits.
func (p place) MarshalJSON() ([]byte, error) {
	id := func(b []byte) string {
		for _, c := range b {
			if c != 0 {
				return hex.EncodeToString(b)
			}
		}
		return ""
	}
	return json.Marshal(struct {
		Trace      string `json:"trace,omitempty"`
		Span       string `json:"span,omitempty"`
		Parent     string `json:"parent,omitempty"`
		Flags      byte   `json:"flags,omitempty"`
		State      string `json:"state,omitempty"`
		Remote     bool   `json:"remote,omitempty"`
		ParentCall string `json:"parent_call,omitempty"`
	}{id(p.Trace[:]), id(p.Span[:]), id(p.Parent[:]), p.Flags, p.State, p.Remote, p.ParentCall})
}

// MarshalJSON writes key and value. A number that JSON does not have is text.
func (a attr) MarshalJSON() ([]byte, error) {
	v := a.llm().Value
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		v = fmt.Sprint(f)
	}
	return json.Marshal(struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}{a.Key, v})
}
