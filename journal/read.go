package journal

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/llm"
)

// batch is what a follower gets at once, and where that leaves it.
type batch struct {
	calls   []*llm.Call
	next    uint64 // the record after it
	segment uint64 // where that is, when known
	offset  int64
	at      time.Time // when its first record was appended
	missing int64     // records that should be there and are not, or cannot be read
	unread  int64     // of these, those that are there
	err     error     // what is wrong with the first of them
}

// span is where the records from one on lie: a segment, as far as it is durable.
type span struct {
	path   string
	first  uint64
	salt   [16]byte
	size   int64
	end    uint64 // the record after its last
	broken bool
}

// plan returns where record seq lies. The mutex is held.
func (j *Journal) plan(seq uint64) span {
	i := len(j.segments) - 1
	for i > 0 && j.segments[i].first > seq {
		i--
	}
	s := j.segments[i]
	p := span{path: s.path, first: s.first, salt: s.salt, size: s.size, end: j.durable, broken: s.broken}
	if i+1 < len(j.segments) {
		p.end = j.segments[i+1].first
	}
	return p
}

// reader reads records from disk for one follower. It keeps the file and its place
// from one batch to the next.
type reader struct {
	keys *sealed.Keys
	file *os.File
	scan *scanner
	path string
	at   uint64 // the record that scan reads next
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
	*r = reader{keys: r.keys}
}

// seek makes scan ready to read record seq, or one before it, of a segment.
func (r *reader) seek(p span, seq uint64) error {
	if r.file != nil && r.path == p.path && r.at == seq && r.scan.end <= p.size {
		r.scan.end = p.size
		return nil
	}
	r.close()
	f, err := os.Open(p.path)
	if err != nil {
		return err
	}
	// The file may have been replaced by one without contents, which is shorter.
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	*r = reader{keys: r.keys, file: f, path: p.path, at: p.first, scan: newScanner(f, p.salt, min(p.size, info.Size()))}
	return nil
}

// read returns the next calls from record seq on. Records that cannot be read are
// passed over and counted. One that is encrypted with a key that is not there is an
// error: it can be read again once the key is.
func (r *reader) read(p span, seq uint64) (batch, error) {
	b := batch{next: seq}
	if p.broken {
		b.miss(p.end-seq, errBadHeader)
		b.next = p.end
		return b, nil
	}
	if err := r.seek(p, seq); err != nil {
		return b, err
	}
	return r.records(p, seq)
}

// records reads on from where scan is.
func (r *reader) records(p span, seq uint64) (batch, error) {
	b := batch{next: seq}
	for bytes := 0; len(b.calls) < deliverCalls && bytes < deliverBytes && b.next < p.end; {
		rec, n, err := r.scan.next()
		var bad *damage
		switch {
		case errors.Is(err, io.EOF): // fewer records than there should be
			b.miss(p.end-b.next, errCutOff)
			b.next = p.end
			continue
		case errors.As(err, &bad):
			if _, _, err := r.scan.resume(b.next - 1); err != nil {
				return b, err
			}
			b.fault(bad)
			continue
		case err != nil:
			return b, err
		}
		if rec.seq < b.next {
			continue
		}
		if err := rec.locked(r.keys); err != nil {
			b.segment, b.offset = p.first, r.scan.off-int64(n)
			r.close()
			if b.next > seq {
				return b, nil // first what can be read
			}
			return b, err
		}
		b.miss(rec.seq-b.next, errCutOff)
		b.next = rec.seq + 1
		bytes += n
		b.take(rec, r.keys)
	}
	r.at, b.segment, b.offset = b.next, p.first, r.scan.off
	return b, nil
}

// take adds the call of a record.
func (b *batch) take(rec record, keys *sealed.Keys) {
	if b.at.IsZero() {
		b.at = rec.at
	}
	if rec.kind != kindCall {
		return
	}
	c, err := decodeCall(rec, keys)
	if err != nil {
		b.miss(1, err)
		b.unread++
		return
	}
	b.calls = append(b.calls, c)
}

func (b *batch) miss(n uint64, err error) {
	if n > 0 {
		b.fault(err)
		b.missing += int64(n)
	}
}

func (b *batch) fault(err error) {
	if b.err == nil {
		b.err = err
	}
}
