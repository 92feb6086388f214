package tokenizer

import "sync"

// A piece that is no token is merged pair by pair, the lowest rank first and among
// equals the leftmost, until no pair is a token.

const (
	// maxScan is how long a piece may be to be merged by scanning an array; it is
	// the square that makes more of it slow.
	maxScan = 48
	// maxPiece is how long a piece is merged as a whole.
	maxPiece = 256 << 10
)

// merge appends the tokens of a piece that is no token itself.
func (v *vocabulary) merge(dst []uint32, s string) []uint32 {
	if len(s) > maxScan {
		return v.mergeLong(dst, s)
	}
	var ids, ranks [maxScan]uint32
	n := v.scan(&ids, &ranks, s)
	return append(dst, ids[:n]...)
}

// mergeCount returns how many tokens merge would append.
func (v *vocabulary) mergeCount(s string) int {
	if len(s) > maxScan {
		m := merges.Get().(*merger)
		defer merges.Put(m)
		return m.run(v, s)
	}
	var ids, ranks [maxScan]uint32
	return v.scan(&ids, &ranks, s)
}

// scan merges a short piece in place and returns how many tokens are left.
// ranks[i] is what ids[i] and ids[i+1] make.
func (v *vocabulary) scan(ids, ranks *[maxScan]uint32, s string) int {
	n := len(s)
	for i := range n {
		ids[i] = v.bytes[s[i]]
		ranks[i] = none
		if i+1 < n {
			ranks[i] = v.bytePair[uint(s[i])<<8|uint(s[i+1])]
		}
	}
	for {
		best, at := none, 0
		for i := range n - 1 {
			if ranks[i] < best {
				best, at = ranks[i], i
			}
		}
		if best == none {
			return n
		}
		ids[at] = best
		copy(ids[at+1:n-1], ids[at+2:n])
		copy(ranks[at+1:n-1], ranks[at+2:n])
		n--
		if at > 0 {
			ranks[at-1] = v.pair(ids[at-1], best)
		}
		ranks[at] = none
		if at+1 < n {
			ranks[at] = v.pair(best, ids[at+1])
		}
	}
}

func (v *vocabulary) pair(left, right uint32) uint32 {
	return v.pairs.get(uint64(left)<<32 | uint64(right))
}

func (v *vocabulary) mergeLong(dst []uint32, s string) []uint32 {
	m := merges.Get().(*merger)
	defer merges.Put(m)
	m.run(v, s)
	for i := int32(0); i >= 0; i = m.next[i] {
		dst = append(dst, m.ids[i])
	}
	return dst
}

var merges = sync.Pool{New: func() any { return new(merger) }}

// merger merges long pieces: a list of tokens, and a heap of the pairs in it. Work
// is n log n in the length of the piece, whatever it holds.
type merger struct {
	ids        []uint32
	prev, next []int32 // -1 at the ends
	ranks      []uint32
	heap       []uint64 // rank<<32 | position of the left one; outdated entries stay
	entries    int      // that the heap has had: three a byte at most, which bounds the work
}

// run merges s and returns how many tokens it became: those of the list from 0.
func (m *merger) run(v *vocabulary, s string) int {
	n := len(s)
	if cap(m.ids) < n {
		m.ids, m.ranks = make([]uint32, n), make([]uint32, n)
		m.prev, m.next = make([]int32, n), make([]int32, n)
		m.heap = make([]uint64, 0, 2*n)
	}
	m.ids, m.ranks, m.prev, m.next, m.heap = m.ids[:n], m.ranks[:n], m.prev[:n], m.next[:n], m.heap[:0]
	for i := range n {
		m.ids[i], m.prev[i], m.next[i], m.ranks[i] = v.bytes[s[i]], int32(i-1), int32(i+1), none
		if i+1 < n {
			if r := v.bytePair[uint(s[i])<<8|uint(s[i+1])]; r != none {
				m.ranks[i] = r
				m.heap = append(m.heap, uint64(r)<<32|uint64(i))
			}
		}
	}
	m.next[n-1] = -1
	m.entries = len(m.heap)
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	for len(m.heap) > 0 {
		top := m.heap[0]
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
		m.down(0)
		if i := int32(uint32(top)); m.ranks[i] == uint32(top>>32) {
			m.join(v, i)
			n--
		}
	}
	return n
}

// join merges the token at i with the next one.
func (m *merger) join(v *vocabulary, i int32) {
	gone := m.next[i]
	m.ids[i] = m.ranks[i]
	m.ranks[gone] = none
	after := m.next[gone]
	m.next[i] = after
	m.ranks[i] = none
	if after >= 0 {
		m.prev[after] = i
		m.rank(v, i)
	}
	if before := m.prev[i]; before >= 0 {
		m.ranks[before] = none
		m.rank(v, before)
	}
}

// rank looks up what the token at i and the next one make.
func (m *merger) rank(v *vocabulary, i int32) {
	r := v.pair(m.ids[i], m.ids[m.next[i]])
	if m.ranks[i] = r; r != none {
		m.push(uint64(r)<<32 | uint64(i))
	}
}

func (m *merger) push(x uint64) {
	m.entries++
	m.heap = append(m.heap, x)
	h := m.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up] <= x {
			break
		}
		h[i], h[up] = h[up], x
		i = up
	}
}

func (m *merger) down(i int) {
	h := m.heap
	if i >= len(h) {
		return
	}
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[child] >= x {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}
