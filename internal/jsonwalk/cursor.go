package jsonwalk

// Cursor reads a JSON text once, from its front to its end:
//
//	cur := jsonwalk.Read(body)
//	for o := cur.Object(); o.Next(); {
//		switch string(o.Key) {
//		case "model":
//			model = jsonwalk.Str(cur.Value())
//		case "messages":
//			for a := cur.Array(); a.Next(); {
//				… cur.Object() …
//			}
//		}
//	}
//
// Within a walk the cursor stands before a value, which is taken by Value, or by a walk
// of its own, or left alone: what was not taken, or not walked to its end, is passed
// over by the next step. Nothing is looked at twice, nothing is copied. Where the text
// was cut off all walks end, after the value that holds the cut; what is no JSON ends
// them too.
type Cursor struct {
	b     []byte
	i     int
	depth int // walks that are open
	cut   bool
	bad   bool
}

// Read returns a cursor before the first value of b.
func Read(b []byte) Cursor { return Cursor{b: b} }

// Whole says that neither an end was missing nor anything found that is no JSON, as
// far as was read.
func (c *Cursor) Whole() bool { return !c.cut && !c.bad }

// Bad says that something was found that is no JSON.
func (c *Cursor) Bad() bool { return c.bad }

// Peek returns the first byte of the value that the cursor stands before; 0 when
// there is none.
func (c *Cursor) Peek() byte {
	if c.i = SkipSpace(c.b, c.i); c.i >= len(c.b) || c.bad {
		return 0
	}
	return c.b[c.i]
}

// Value takes the value that the cursor stands before, as written. It is empty when
// there is none; one that was cut off is given as far as it goes.
func (c *Cursor) Value() []byte {
	if c.cut || c.bad {
		return nil
	}
	if c.Peek() == 0 {
		c.cut = true
		return nil
	}
	end, ok := SkipValue(c.b, c.i)
	if end == c.i {
		c.bad = true
		return nil
	}
	val := c.b[c.i:end]
	c.i, c.cut = end, !ok
	return val
}

// Fields is a walk over an object.
type Fields struct {
	Key []byte // between its quotes, as written

	c     *Cursor
	depth int // of this walk; 0: nothing to walk
	at    int // where the value stands
}

// Object begins a walk over the object that the cursor stands before. Of another value
// it is over at once, and the value stays.
func (c *Cursor) Object() Fields { return Fields{c: c, depth: c.open('{')} }

// Next steps to the next member; the cursor then stands before its value.
func (f *Fields) Next() bool {
	c := f.c
	if f.depth == 0 || !c.step(f.depth, f.at, '}') {
		f.depth = 0
		return false
	}
	if c.b[c.i] != '"' {
		return c.stop(false)
	}
	end, ok := SkipString(c.b, c.i)
	if !ok {
		return c.stop(true)
	}
	f.Key = c.b[c.i+1 : end-1]
	if end < len(c.b) && c.b[end] == ':' {
		end++
	} else if end = SkipSpace(c.b, end); end >= len(c.b) {
		return c.stop(true)
	} else if c.b[end] != ':' {
		return c.stop(false)
	} else {
		end++
	}
	if c.i = SkipSpace(c.b, end); c.i >= len(c.b) {
		return c.stop(true)
	}
	f.at = c.i
	return true
}

// Items is a walk over an array.
type Items struct {
	c     *Cursor
	depth int
	at    int
}

// Array begins a walk over the array that the cursor stands before. Of another value
// it is over at once, and the value stays.
func (c *Cursor) Array() Items { return Items{c: c, depth: c.open('[')} }

// Next steps to the next element; the cursor then stands before it.
func (a *Items) Next() bool {
	c := a.c
	if a.depth == 0 || !c.step(a.depth, a.at, ']') {
		a.depth = 0
		return false
	}
	a.at = c.i
	return true
}

// open enters a container and returns how deep that is; 0 when there is none.
func (c *Cursor) open(bracket byte) int {
	if c.cut || c.bad {
		return 0
	}
	switch c.Peek() {
	case bracket:
		c.i++
		c.depth++
		return c.depth
	case 0:
		c.cut = true
	default:
		if c.depth == 0 {
			c.bad = true // the whole is something else
		}
	}
	return 0
}

// step leaves the value at, if it was not taken, and stands before the next one, or
// behind the bracket that ends the walk.
func (c *Cursor) step(depth, at int, bracket byte) bool {
	if c.depth > depth {
		c.leave(depth)
	} else if at > 0 && c.i == at {
		c.Value()
	}
	if c.cut || c.bad || c.depth < depth {
		return false
	}
	i := SkipSpace(c.b, c.i)
	if i < len(c.b) && c.b[i] == ',' {
		i = SkipSpace(c.b, i+1)
	}
	c.i = i
	if i >= len(c.b) {
		return c.stop(true)
	}
	if c.b[i] == bracket {
		c.i++
		c.depth--
		return false
	}
	return true
}

// leave ends the walks that were begun below depth and not walked to their end.
func (c *Cursor) leave(depth int) {
	for open := c.depth - depth; open > 0 && c.Whole(); {
		switch c.Peek() {
		case 0:
			c.cut = true
		case '}', ']':
			open--
			c.i++
		case ',', ':':
			c.i++
		default:
			c.Value()
		}
	}
	c.depth = depth
}

func (c *Cursor) stop(cut bool) bool {
	if cut {
		c.cut = true
	} else {
		c.bad = true
	}
	return false
}
