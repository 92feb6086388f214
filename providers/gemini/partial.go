package gemini

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
)

// Vertex can stream the arguments of a call value by value: each piece names by a
// JSON path where it belongs, and a text may come in several (wire reference,
// section 8.2). They are put together as the object that they describe.

// Bounds on arguments that come in pieces.
const (
	maxNodes = 4096
	maxIndex = 4096
	maxSteps = 64
)

// node is a value under way.
type node struct {
	form byte // '{', '[', '"', or 0 for anything else
	key  string
	kids []*node // of an object in the order they came; of a list by index, nil where nothing came
	text intake.Text
}

// partial is the arguments of one call under way.
type partial struct {
	root  *node
	nodes int
	lost  bool // a path could not be read, or led past the bounds
}

// add takes one piece: {jsonPath, stringValue | numberValue | boolValue | nullValue}.
func (a *partial) add(room *intake.Room, val []byte) {
	var path, value []byte
	form := byte(0)
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(camel(m.Key)) {
		case "jsonPath":
			path = m.Val
		case "stringValue":
			form, value = '"', jsonwalk.Inner(m.Val)
		case "numberValue", "boolValue":
			value = m.Val
		case "nullValue":
			value = []byte("null")
		}
	}
	if path == nil {
		return
	}
	n := a.at(jsonwalk.Str(path))
	if n == nil || n.form == '{' || n.form == '[' {
		a.lost = true
		return
	}
	n.form = form
	if form == 0 {
		n.text = intake.Text{}
	}
	n.text.Add(room, value)
}

// at returns the value that a path leads to, made where it is not there yet.
func (a *partial) at(path string) *node {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil
	}
	if a.root == nil {
		a.root = &node{form: '{'}
	}
	n := a.root
	for steps := 0; rest != ""; steps++ {
		key, index, next, ok := step(rest)
		if !ok || steps == maxSteps {
			return nil
		}
		if index >= 0 {
			n = a.element(n, index)
		} else {
			n = a.member(n, key)
		}
		if rest = next; n == nil {
			return nil
		}
	}
	return n
}

// step reads one step of a path: .name, ['name'] or [0].
func step(path string) (key string, index int, rest string, ok bool) {
	if path[0] == '.' {
		end := strings.IndexAny(path[1:], ".[")
		if end < 0 {
			end = len(path) - 1
		}
		return path[1 : end+1], -1, path[end+1:], end > 0
	}
	if path[0] != '[' || len(path) < 3 {
		return "", 0, "", false
	}
	if q := path[1]; q == '\'' || q == '"' {
		end := strings.Index(path[2:], string(q)+"]")
		if end < 0 {
			return "", 0, "", false
		}
		return path[2 : end+2], -1, path[end+4:], true
	}
	num, rest, ok := strings.Cut(path[1:], "]")
	index, err := strconv.Atoi(num)
	return "", index, rest, ok && err == nil && index >= 0 && index < maxIndex
}

func (a *partial) member(n *node, key string) *node {
	if !n.become('{') {
		return nil
	}
	for _, k := range n.kids {
		if k.key == key {
			return k
		}
	}
	return a.kid(n, key)
}

func (a *partial) element(n *node, index int) *node {
	if !n.become('[') {
		return nil
	}
	for len(n.kids) <= index {
		if a.kid(n, "") == nil {
			return nil
		}
	}
	return n.kids[index]
}

func (a *partial) kid(n *node, key string) *node {
	if a.nodes++; a.nodes > maxNodes {
		return nil
	}
	k := &node{key: key}
	n.kids = append(n.kids, k)
	return k
}

// become makes a value that nothing is known of an object or a list.
func (n *node) become(form byte) bool {
	if n.form == 0 && n.text.Seen == 0 {
		n.form = form
	}
	return n.form == form
}

// json returns the arguments. Of a call that did not come to its end they are left
// as open as they are.
func (a *partial) json(open bool) string {
	if a.root == nil {
		if open {
			return ""
		}
		return "{}"
	}
	out := string(a.root.append(nil))
	if open {
		return strings.TrimRight(out, `"}]`)
	}
	return compact([]byte(out))
}

func appendKey(b []byte, key string) []byte {
	quoted, err := json.Marshal(key)
	if err != nil {
		panic("BUG: name of an argument: " + err.Error()) // a text
	}
	return append(b, quoted...)
}

func (n *node) append(b []byte) []byte {
	switch n.form {
	case '"':
		return append(append(append(b, '"'), n.text.Raw...), '"')
	case '{', '[':
		b = append(b, n.form)
		for i, k := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			if n.form == '{' {
				b = append(appendKey(b, k.key), ':')
			}
			b = k.append(b)
		}
		return append(b, n.form+2) // '}' and ']' stand two behind their openers
	}
	if len(n.text.Raw) == 0 {
		return append(b, "null"...)
	}
	return append(b, n.text.Raw...)
}
