package tracing

import "bytes"

// shrinkJSON returns valid JSON text src cut to at most limit bytes, and how many
// bytes were taken away. The longest string values are cut first, each at a
// character; names of members stay. Only when the structure alone is too large
// do elements of the outermost array go, from its middle, for the beginning and
// the latest messages tell most. Text that is no array and cannot be cut far
// enough becomes null.
func shrinkJSON(src []byte, limit int) (out []byte, cut int) {
	if len(src) <= limit {
		return src, 0
	}
	out = cutValues(src, limit)
	if len(out) > limit {
		out = dropMiddle(out, limit)
	}
	return out, len(src) - len(out)
}

const cutMark = "…"

// cutValues cuts string values so that the whole comes to limit bytes, when that can be done.
func cutValues(src []byte, limit int) []byte {
	var lens []int
	sum := 0
	for at := 0; at < len(src); {
		from, to, isName := nextString(src, at)
		if from < 0 {
			break
		}
		if !isName {
			lens = append(lens, to-from)
			sum += to - from
		}
		at = to + 1
	}
	fixed := len(src) - sum
	keep := level(lens, limit-fixed)
	out := make([]byte, 0, limit)
	for at := 0; at < len(src); {
		from, to, isName := nextString(src, at)
		if from < 0 {
			return append(out, src[at:]...)
		}
		if isName || to-from <= keep {
			out = append(out, src[at:to+1]...)
		} else {
			out = append(out, src[at:from]...)
			out = append(out, src[from:from+wholeUnits(src[from:to], keep-len(cutMark))]...)
			if keep >= len(cutMark) {
				out = append(out, cutMark...)
			}
			out = append(out, '"')
		}
		at = to + 1
	}
	return out
}

// level returns the largest length k such that the lengths, each cut to k, sum up to at most room.
func level(lens []int, room int) int {
	low, high := 0, 0
	for _, n := range lens {
		high = max(high, n)
	}
	for low < high {
		k, sum := (low+high+1)/2, 0
		for _, n := range lens {
			sum += min(n, k)
		}
		if sum <= room {
			low = k
		} else {
			high = k - 1
		}
	}
	return low
}

// nextString finds the next JSON string at or after at: src[from:to] is its
// content without the quotes, isName says that a colon follows. from is -1 when
// there is none.
func nextString(src []byte, at int) (from, to int, isName bool) {
	i := bytes.IndexByte(src[at:], '"')
	if i < 0 {
		return -1, -1, false
	}
	from = at + i + 1
	for to = from; to < len(src) && src[to] != '"'; to++ {
		if src[to] == '\\' {
			to++
		}
	}
	if to >= len(src) {
		return -1, -1, false
	}
	rest := bytes.TrimLeft(src[to+1:min(len(src), to+9)], " \t\r\n")
	return from, to, len(rest) > 0 && rest[0] == ':'
}

// wholeUnits returns how many of the first limit bytes of the content of a JSON
// string can be kept without splitting an escape, a surrogate pair or a character.
func wholeUnits(s []byte, limit int) int {
	n := 0
	for n < len(s) {
		w := unit(s[n:])
		if n+w > limit {
			break
		}
		n += w
	}
	return n
}

// unit returns the length of the first character or escape of the content of a JSON string.
func unit(s []byte) int {
	n := 1
	switch {
	case s[0] == '\\' && len(s) > 1 && s[1] == 'u':
		n = 6
		if len(s) >= 12 && (s[2] == 'd' || s[2] == 'D') && s[6] == '\\' && s[7] == 'u' {
			n = 12 // a surrogate pair is one character
		}
	case s[0] == '\\':
		n = 2
	case s[0] >= 0xF0:
		n = 4
	case s[0] >= 0xE0:
		n = 3
	case s[0] >= 0xC0:
		n = 2
	}
	return min(n, len(s))
}

// dropMiddle keeps as many elements of a JSON array as fit into limit bytes, in
// turn from its end and its beginning.
func dropMiddle(src []byte, limit int) []byte {
	elems := elements(src)
	if len(elems) == 0 {
		if limit < len("null") {
			return nil
		}
		return []byte("null")
	}
	size, head, tail := len("[]"), 0, len(elems)
	for head < tail {
		next := elems[tail-1]
		fromHead := head < len(elems)-tail
		if fromHead {
			next = elems[head]
		}
		if size+len(next)+1 > limit {
			break
		}
		size += len(next) + 1
		if fromHead {
			head++
		} else {
			tail--
		}
	}
	kept := append(elems[:head:head], elems[tail:]...)
	out := append(make([]byte, 0, size), '[')
	out = append(out, bytes.Join(kept, []byte{','})...)
	return append(out, ']')
}

// elements returns the elements of a JSON array, or nil when src is none.
func elements(src []byte) [][]byte {
	src = bytes.TrimSpace(src)
	if len(src) < 2 || src[0] != '[' {
		return nil
	}
	var elems [][]byte
	depth, from := 0, 1
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '"':
			_, to, _ := nextString(src, i)
			if to < 0 {
				return nil
			}
			i = to
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth == 1 && src[i] == ',' || depth == 0 {
			if e := bytes.TrimSpace(src[from:i]); len(e) > 0 {
				elems = append(elems, e)
			}
			from = i + 1
		}
	}
	return elems
}
