package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Range is a part of a journal by when its records were appended. A zero time
// leaves that side open. Both ends belong to it.
type Range struct{ From, To time.Time }

func (r Range) holds(at time.Time) bool {
	return (r.From.IsZero() || !at.Before(r.From)) && (r.To.IsZero() || !at.After(r.To))
}

// visitor is shown what a walk meets, in order.
type visitor interface {
	segment(*segment) error
	record(*segment, int64, record) error
	// broken is shown a place where there should be a record and is none. The walk
	// goes on after it, unless it returns an error.
	broken(*segment, int64, error) error
	// tail is shown how many bytes at the end of the journal are an unfinished write.
	tail(int64)
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// walk reads the segments of a folder that may hold records of a range, without a
// lock and without changing anything.
func walk(ctx context.Context, dir string, rng Range, v visitor) error {
	segments, err := listSegments(dir)
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		return fmt.Errorf("%s holds no journal", dir)
	}
	for i, s := range segments {
		if i+1 < len(segments) && !rng.From.IsZero() && !segments[i+1].broken && segments[i+1].created.Before(rng.From) {
			continue // it ended before
		}
		last := i+1 == len(segments)
		if s.broken && last && s.size <= segmentHead {
			v.tail(s.size) // it was being begun
			return nil
		}
		if err := v.segment(s); err != nil {
			return err
		}
		err := walkSegment(ctx, s, last, rng, v)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(s.path), err)
		}
	}
	return nil
}

func walkSegment(ctx context.Context, s *segment, last bool, rng Range, v visitor) error {
	if s.broken {
		return v.broken(s, 0, errBadHeader)
	}
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	scan := newScanner(f, s.salt, s.size)
	next := s.first
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		off := scan.off
		r, _, err := scan.next()
		var bad *damage
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			if last {
				end := ending{at: off, next: next}
				ahead := newScanner(f, s.salt, s.size)
				ahead.off = off
				if err := end.tornOrDamaged(ahead, bad.err); err != nil {
					return err
				}
				if !end.damaged {
					v.tail(s.size - off)
					return nil
				}
			}
			if err := v.broken(s, off, bad.err); err != nil {
				return err
			}
			if _, _, err := scan.resume(next - 1); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if !rng.To.IsZero() && r.at.After(rng.To) {
			return errEnough
		}
		if err := v.record(s, off, r); err != nil {
			return err
		}
		next = max(next, r.seq+1)
	}
}
