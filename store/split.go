package store

// Where raw bodies are cut: not into pieces that are smaller than this, but around
// strings that are at least so long, such as images.
const (
	smallestPiece = 64
	longString    = 16 << 10
	deepest       = 64 // how deep containers are told apart
)

// splitBody calls piece with the pieces of a body, one after the other: together they
// are the body. JSON is cut behind each object or list that is an item of a list
// (messages, tools, parts) and around long strings, so that what is sent again with
// every turn makes the same pieces. It depends on what is near alone, and needs no
// valid JSON; what does not look like JSON is one piece.
func splitBody(body string, piece func(string)) {
	if body == "" {
		return
	}
	from := 0
	cut := func(at, least int) {
		if at-from >= least {
			piece(body[from:at])
			from = at
		}
	}
	if looksLikeJSON(body) {
		var in [deepest]byte // the containers around
		depth := 0
		for i := 0; i < len(body); i++ {
			switch c := body[i]; c {
			case '"':
				end := stringEnd(body, i)
				if end-i >= longString {
					cut(i, 1)
					cut(end, 1)
				}
				i = end - 1
			case '{', '[':
				if depth < deepest {
					in[depth] = c
				}
				depth++
			case '}', ']':
				if depth > 0 {
					depth--
				}
				if depth > 0 && depth <= deepest && in[depth-1] == '[' {
					cut(i+1, smallestPiece)
				}
			}
		}
	}
	if from < len(body) {
		piece(body[from:])
	}
}

func looksLikeJSON(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\r', '\n':
		default:
			return s[i] == '{' || s[i] == '['
		}
	}
	return false
}

// stringEnd returns where the string that begins at i ends.
func stringEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
