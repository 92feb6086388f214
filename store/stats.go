package store

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// Stats is what a store did since it was opened, and what it holds. Counts only grow.
type Stats struct {
	Stored   int64 // calls kept
	Again    int64 // calls that were there already
	Expired  int64 // calls that were older than what is kept
	Failures int64 // writes that failed; who hands calls over tries them again
	Other    int64 // values counted as "other" in totals
	Busy     time.Duration

	SaidBytes int64 // of what was said, as it was written
	Unlinked  int64 // files removed by retention
	Indexed   int64 // calls whose text can be searched
	IndexLag  int64 // calls whose text cannot be searched yet

	Days  int   // on which calls began
	Bytes int64 // of all files
}

type counters struct {
	stored, again, expired, failures, other, busy, said, unlinked, indexed, lag atomic.Int64
}

func (c *counters) add(b batch, busy time.Duration) {
	c.stored.Add(b.stored)
	c.again.Add(b.again)
	c.other.Add(b.other)
	c.said.Add(b.bytes)
	c.busy.Add(int64(busy))
}

// Stats returns a snapshot. It looks at the folder, and no more.
func (s *Store) Stats() Stats {
	c := &s.counts
	st := Stats{
		Stored: c.stored.Load(), Again: c.again.Load(), Expired: c.expired.Load(), Failures: c.failures.Load(), Other: c.other.Load(),
		Busy: time.Duration(c.busy.Load()), SaidBytes: c.said.Load(), Unlinked: c.unlinked.Load(), Indexed: c.indexed.Load(), IndexLag: c.lag.Load(),
	}
	files, err := os.ReadDir(filepath.Join(s.dir, callsFolder))
	if err != nil {
		return st // it is being removed; the counts hold all the same
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			st.Bytes += info.Size()
		}
		if _, ok := parseDay(strings.TrimSuffix(f.Name(), callsSuffix)); ok {
			st.Days++
		}
	}
	return st
}
