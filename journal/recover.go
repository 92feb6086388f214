package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// recover finds the end of the journal and makes it ready for writing.
func (j *Journal) recover() error {
	last, err := j.last()
	if err != nil {
		return err
	}
	if last == nil {
		return j.begin()
	}
	if last.broken {
		return j.goOn(last)
	}
	end, err := examine(last)
	if err != nil {
		return fmt.Errorf("examine %s: %w", filepath.Base(last.path), err)
	}
	if !end.damaged {
		return j.resume(last, end)
	}
	// What stands after the damage was acknowledged: it stays as it is, and a new
	// segment goes on after it.
	j.log.Error("the last segment of the journal is damaged; followers pass over that place",
		"segment", filepath.Base(last.path), "offset", end.broken, "reason", end.reason)
	j.durable, j.w.head, last.kept = end.next, end.sum, true
	return j.roll(time.Now())
}

// last returns the last segment, which is broken when its header was damaged. One that
// has no header yet was being made when the program ended, and goes; so does one that
// a crash left without a byte.
func (j *Journal) last() (*segment, error) {
	for len(j.segments) > 0 {
		last := j.segments[len(j.segments)-1]
		if !last.broken {
			j.id = last.id
		}
		if !last.broken || last.size > segmentHead {
			return last, nil
		}
		j.log.Warn("a segment of the journal was not begun yet when the program ended; it is removed", "segment", filepath.Base(last.path))
		if err := os.Remove(last.path); err != nil {
			return nil, fmt.Errorf("remove a segment without a header: %w", err)
		}
		j.segments = j.segments[:len(j.segments)-1]
	}
	return nil, nil
}

// goOn begins a new segment after one whose header was damaged. What is in that one
// cannot be checked without its header, and stays as it is.
func (j *Journal) goOn(last *segment) error {
	end, err := count(last)
	if err != nil {
		return fmt.Errorf("count the records of %s: %w", filepath.Base(last.path), err)
	}
	j.log.Error("the last segment of the journal is damaged; followers pass over it",
		"segment", filepath.Base(last.path), "records", end.next-last.first, "reason", errBadHeader)
	known := false
	for _, s := range j.segments {
		if !s.broken {
			j.id, known = s.id, true
		}
	}
	if !known {
		if _, err := rand.Read(j.id[:]); err != nil {
			return err
		}
	}
	j.durable, j.w.head = end.next, end.sum
	return j.roll(time.Now())
}

// count follows the records of a segment without a header by their lengths and
// numbers alone, so that the next record gets a number that none of them has. The
// number is past that of the segment in any case: it names a file.
func count(s *segment) (ending, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return ending{}, err
	}
	defer f.Close()
	end := ending{at: segmentHead, next: s.first}
	for scan := newScanner(f, s.salt, s.size); ; {
		frame, err := scan.frame(end.at)
		var bad *damage
		if err != nil && !errors.As(err, &bad) {
			return end, err
		}
		var r record
		if err == nil {
			r, err = parsePayload(frame[frameHead:])
		}
		if err != nil || r.seq != end.next {
			end.next = max(end.next, s.first+1)
			return end, nil
		}
		end.take(r, end.at+int64(len(frame)))
	}
}

// begin makes the first segment of a new journal.
func (j *Journal) begin() error {
	if _, err := rand.Read(j.id[:]); err != nil {
		return err
	}
	j.durable = 1
	return j.roll(time.Now())
}

// resume opens the last segment for writing, without its torn tail.
func (j *Journal) resume(last *segment, end ending) error {
	f, err := os.OpenFile(last.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	j.w.file = f
	if torn := last.size - end.at; torn > 0 {
		j.log.Warn("the program ended while it wrote to the journal; the unfinished batch is cut off",
			"segment", filepath.Base(last.path), "offset", end.at, "bytes", torn, "reason", end.reason)
		j.stat.TornBytes = torn
		if err := f.Truncate(end.at); err != nil {
			return fmt.Errorf("cut off a torn tail: %w", err)
		}
	}
	// Bytes that survived the process may still be lost with the machine.
	if err := f.Sync(); err != nil {
		return err
	}
	last.size = end.at
	j.durable, j.w.head = end.next, end.sum
	j.unsigned, j.checked = end.unsigned, end.checked
	return nil
}

// ending is how a segment ends.
type ending struct {
	at       int64  // offset after the last record
	next     uint64 // number of the next record
	sum      hash   // of the last record
	unsigned int    // records after the last checkpoint
	checked  time.Time
	damaged  bool   // there are acknowledged records after a place that cannot be read
	broken   int64  // offset of the first such place
	reason   string // what is wrong there
}

// examine reads a whole segment.
func examine(s *segment) (ending, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return ending{}, err
	}
	defer f.Close()
	return examineRecords(newScanner(f, s.salt, s.size), s.first, s.prev)
}

func examineRecords(scan *scanner, first uint64, prev hash) (ending, error) {
	end := ending{at: segmentHead, next: first, sum: prev}
	for {
		r, _, err := scan.next()
		var bad *damage
		switch {
		case errors.Is(err, io.EOF):
			return end, nil
		case errors.As(err, &bad):
			return end, end.tornOrDamaged(scan, bad.err)
		case err != nil:
			return end, err
		case r.seq != end.next || r.prev != end.sum:
			// It is whole and does not belong here: nothing that a crash does.
			if !end.damaged {
				end.damaged, end.broken, end.reason = true, end.at, "a record is out of order"
			}
		}
		end.take(r, scan.off)
	}
}

func (e *ending) take(r record, at int64) {
	e.at, e.next, e.sum = at, max(e.next, r.seq+1), r.sum
	e.unsigned++
	if r.kind == kindCheckpoint {
		e.unsigned, e.checked = 0, r.at
	}
}

// tornOrDamaged looks at what follows a place that cannot be read. Records of the
// batch that is broken there were never acknowledged; those of a later batch show
// that it was.
func (e *ending) tornOrDamaged(scan *scanner, why error) error {
	if e.reason == "" {
		e.broken, e.reason = e.at, why.Error()
	}
	missing := e.next
	after := *e
	for {
		r, _, err := scan.next()
		var bad *damage
		switch {
		case errors.As(err, &bad):
			if _, _, err := scan.resume(after.next - 1); err != nil {
				return err
			}
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		if err != nil {
			break // the end
		}
		after.take(r, scan.off)
		if r.seq-uint64(r.ago) > missing {
			after.damaged = true
		}
	}
	if after.damaged {
		*e = after
	}
	return nil
}
