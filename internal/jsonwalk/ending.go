package jsonwalk

import "bytes"

// Ending walks the members that the end of an object holds, in a copy that begins
// anywhere in it: from the first of the given keys that leads exactly to the end
// of the object and of the data. A key inside a text is escaped there, and one
// inside an inner object does not lead to the end, so neither is taken for a
// member.
func Ending(tail []byte, keys []string) Members {
	if tail = bytes.TrimRight(tail, " \t\r\n"); len(tail) == 0 {
		return Members{cut: true}
	}
	best := len(tail)
	for _, key := range keys {
		at := bytes.LastIndex(tail, []byte(`"`+key+`"`))
		if at < 0 || at >= best {
			continue
		}
		m := Members{b: tail, i: at}
		for m.Next() {
		}
		if m.Whole() && m.i == len(tail) {
			best = at
		}
	}
	if best == len(tail) {
		return Members{cut: true}
	}
	return Members{b: tail, i: best}
}
