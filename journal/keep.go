package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// keepTime is how often segments are looked through for what may go.
	keepTime = time.Minute
	// segmentTime is how long a segment is written to at most, so that one that
	// never fills can go as well.
	segmentTime = time.Hour
)

// keep removes what is not needed any more and holds the journal to its bounds,
// until ctx is done. At first it leaves everything as it is: followers come after Open,
// and until the last of them has come nobody knows what is still needed.
func (j *Journal) keep(ctx context.Context) {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.rolled:
		case now := <-tick.C:
			if j.due(now) || j.stale(now) {
				j.w.poke()
			}
		}
		j.tidy(time.Now())
	}
}

// stale says whether the last segment has been written to for long enough.
func (j *Journal) stale(now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.segments[len(j.segments)-1]
	return last.size > segmentHead && now.Sub(last.created) > segmentTime
}

// tidy applies age and size. What fails is tried again next time.
func (j *Journal) tidy(now time.Time) {
	for j.expire(now) {
	}
	for {
		over, s := j.over()
		if over <= 0 {
			return
		}
		if s == nil {
			if !j.removeOldest("the journal is full") {
				return
			}
			continue
		}
		if err := j.strip(s); err != nil {
			j.log.Error("the contents of a segment of the journal cannot be dropped", "segment", filepath.Base(s.path), "error", err)
			j.mu.Lock()
			s.kept = true
			j.mu.Unlock()
		}
	}
}

// expire removes the oldest segment when its time is over, and says whether it did.
func (j *Journal) expire(now time.Time) bool {
	j.mu.Lock()
	if len(j.segments) < 2 {
		j.mu.Unlock()
		return false
	}
	next := j.segments[1] // was begun when the oldest one ended
	age := now.Sub(next.created)
	passed := true
	for _, f := range j.followers {
		passed = passed && f.synced >= next.first
	}
	j.mu.Unlock()
	if next.broken || age < j.set.Retention {
		return false
	}
	if passed && len(j.followers) > 0 {
		return j.removeOldest("")
	}
	if j.cfg.MaxAge > 0 && age >= j.cfg.MaxAge {
		return j.removeOldest("its calls are older than max_age")
	}
	return false
}

// over returns by how many bytes the journal will be too large once the last
// segment is full, and the oldest segment that still has contents to drop.
func (j *Journal) over() (int64, *segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	total := -j.cfg.MaxBytes
	for _, s := range j.segments {
		total += s.size
	}
	total += max(j.cfg.SegmentBytes-j.segments[len(j.segments)-1].size, 0)
	for _, s := range j.segments[:len(j.segments)-1] {
		if s.flags&flagStripped == 0 && !s.kept && !s.broken {
			return total, s
		}
	}
	return total, nil
}

// removeOldest removes the oldest segment, and says whether there was one to
// remove. With a reason it may hold calls that followers do not have.
func (j *Journal) removeOldest(why string) bool {
	j.mu.Lock()
	if len(j.segments) < 2 {
		j.mu.Unlock()
		return false
	}
	s, next := j.segments[0], j.segments[1].first
	j.segments = j.segments[1:]
	least := next
	for _, f := range j.followers {
		least = min(least, max(f.next, f.holds, s.first))
	}
	lost := int64(next - least)
	j.stat.DroppedCalls += lost
	j.mu.Unlock()
	if lost > 0 {
		j.log.Warn("calls are dropped from the journal", "reason", why, "records", lost, "segment", filepath.Base(s.path))
	}
	if err := os.Remove(s.path); err != nil {
		j.log.Error("a segment of the journal cannot be removed", "segment", filepath.Base(s.path), "error", err)
	}
	return true
}

// strip replaces a segment by one without contents. Numbers and hashes stay.
func (j *Journal) strip(s *segment) error {
	tmp := s.path + temporary
	h := s.header
	h.flags |= flagStripped
	n, size, err := stripTo(tmp, s, h)
	if err == nil {
		err = os.Rename(tmp, s.path)
	}
	if err == nil {
		err = syncDir(j.dir)
	}
	if err != nil {
		os.Remove(tmp) // or Open does
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.header, s.size = h, size
	j.stat.DroppedBodies += n
	j.log.Warn("the journal is full: contents are dropped", "segment", filepath.Base(s.path), "calls", n)
	return nil
}

// stripTo writes a segment without contents to path, and returns how many records
// lost theirs.
func stripTo(path string, s *segment, h header) (n, size int64, err error) {
	in, err := os.Open(s.path)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	var buf bytes.Buffer
	buf.Write(h.bytes())
	scan := newScanner(in, s.salt, s.size)
	for {
		r, _, err := scan.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		if err != nil || buf.Len() >= window {
			size += int64(buf.Len())
			if _, err := buf.WriteTo(out); err != nil {
				return 0, 0, err
			}
		}
		if err != nil {
			break
		}
		if len(r.content) > 0 {
			n++
		}
		from := buf.Len()
		var head [frameHead + payloadHead]byte
		buf.Write(head[:])
		buf.Write(r.facts)
		r.putHead(buf.Bytes()[from+frameHead:], len(r.facts))
		seal(h.salt, buf.Bytes()[from:])
	}
	if err := out.Sync(); err != nil {
		return 0, 0, fmt.Errorf("make it durable: %w", err)
	}
	return n, size, nil
}
