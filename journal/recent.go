package journal

import "github.com/spanwire/spanwire/llm"

// recentBytes bounds the calls that are kept in memory for followers, in bytes of
// their records. A follower that keeps up then never reads the disk.
const recentBytes = 8 << 20

// recent is the last batches. It is guarded by the journal's mutex.
type recent struct {
	batches []recentBatch
	bytes   int64
}

type recentBatch struct {
	batch
	first uint64 // its first record; one a call, or a checkpoint
	bytes int64
}

func (r *recent) add(b recentBatch) {
	r.batches = append(r.batches, b)
	for r.bytes += b.bytes; r.bytes > recentBytes; {
		r.drop()
	}
}

func (r *recent) drop() {
	r.bytes -= r.batches[0].bytes
	r.batches[0] = recentBatch{}
	r.batches = r.batches[1:]
}

// passed lets go of the batches that every follower is past.
func (r *recent) passed(seq uint64) {
	for len(r.batches) > 0 && r.batches[0].next <= seq {
		r.drop()
	}
}

// from returns the calls from record seq on to the end of its batch, and those of the
// batches after it as long as they are at most so many in all. ok is false when they
// are not in memory.
func (r *recent) from(seq uint64, most int) (b batch, ok bool) {
	for i := range r.batches {
		if at := &r.batches[i]; seq >= at.first && seq < at.next {
			b = at.batch
			if len(b.calls) > 0 {
				b.calls = b.calls[seq-at.first:]
			}
			b.join(r.batches[i+1:], most, deliverBytes-at.bytes)
			return b, true
		}
	}
	return batch{}, false
}

// join adds whole batches that follow on b, up to so many calls and bytes.
func (b *batch) join(after []recentBatch, most int, bytes int64) {
	own := true // the list of calls is the journal's
	for i := range after {
		at := &after[i]
		if bytes -= at.bytes; bytes < 0 || len(b.calls)+len(at.calls) > most {
			return
		}
		if len(at.calls) > 0 {
			if own {
				b.calls, own = append(make([]*llm.Call, 0, most), b.calls...), false
			}
			b.calls = append(b.calls, at.calls...)
		}
		b.next, b.segment, b.offset = at.next, at.segment, at.offset
	}
}
