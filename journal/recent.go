package journal

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

// from returns the calls from record seq on to the end of its batch. ok is false
// when they are not in memory.
func (r *recent) from(seq uint64) (b batch, ok bool) {
	for i := range r.batches {
		if at := &r.batches[i]; seq >= at.first && seq < at.next {
			b = at.batch
			if len(b.calls) > 0 {
				b.calls = b.calls[seq-at.first:]
			}
			return b, true
		}
	}
	return batch{}, false
}
