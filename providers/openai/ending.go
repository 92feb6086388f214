package openai

import "bytes"

// ending finds the members that the end of an object holds, in a copy that
// begins anywhere in it: the walk from the first of the given keys that leads
// exactly to the end of the object and of the data. A key inside a text is
// escaped there, and one inside an inner object does not lead to the end, so
// neither is taken for a member.
func ending(tail []byte, keys []string) members {
	tail = bytes.TrimRight(tail, " \t\r\n")
	best := len(tail)
	for _, key := range keys {
		quoted := `"` + key + `"`
		at := bytes.LastIndex(tail, []byte(quoted))
		if at < 0 || at >= best {
			continue
		}
		m := members{b: tail, i: at}
		for m.next() {
		}
		if m.whole() && m.i == len(tail) {
			best = at
		}
	}
	if best == len(tail) {
		return members{cut: true}
	}
	return members{b: tail, i: best}
}
