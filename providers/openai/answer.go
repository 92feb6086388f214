package openai

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on what is kept of one answer, beside [intake.MaxText]. What is past them is
// counted and left out.
const (
	maxChoices = 128
	maxCalls   = 256 // tool calls in all
	maxUsage   = 64 << 10
)

// answer is what is joined from a response: from the one object of a plain one,
// from the chunks of a stream (wire reference, sections 4.2 to 4.4 and 16).
//
// Texts are kept as they stand between their quotes and unescaped at the end: it
// is cheaper while the stream passes, and it mends characters whose surrogates
// came in two chunks.
type answer struct {
	id, lastID               []byte // the first id, and the one of the chunk at hand
	model, tier, fingerprint []byte
	choices                  []*choice
	usage                    []byte // the provider's last word
	fallback                 []byte // usage in a place that counts only when it stands nowhere else
	err                      *apierror.Error

	rhythm     intake.Rhythm
	events     int
	unreadable int  // events that are no JSON object
	lastUsage  int  // event that brought the last usage
	done       bool // the end mark came
	bare       bool // the format has no end mark and no finish reason (Writer)
	spliced    int  // how often the response id changed

	room  intake.Room
	calls int
	more  bool // choices or calls past the bound
	owned bool // what is read stays as it is: texts need not be copied

	texts, messages bool // choices had texts of their own, or messages and deltas

	unlisted    *llm.Exchange // of an endpoint that nobody listed: see strange; nil elsewhere
	wraps       bool          // answers come wrapped
	incremental bool          // the caller asked for pieces that bring what is new

	first choice // most answers have one
	only  [1]*choice

	templates [2]template
	turn      int
	cur       sketch
}

// choice is one choice of the answer.
type choice struct {
	index        int
	role, finish []byte
	texts        [numParts]intake.Text
	calls        []*toolCall
	function     *toolCall  // legacy function_call
	blobs        []llm.Part // images
	pieced       bool       // deltas said something
	sound        int64      // bytes of base64 of audio
}

// maxBlobs bounds the images of a choice that are told one by one.
const maxBlobs = 64

// read takes one chunk, or the whole object of a plain answer. ok is false when
// it is no JSON object from beginning to end; what could be read is taken all
// the same.
func (a *answer) read(data []byte, at time.Time, whole bool) (ok bool) {
	a.cur = sketch{}
	a.owned = whole
	var choices []byte
	var odd strange
	cur := jsonwalk.Read(data)
	for o := cur.Object(); o.Next(); {
		switch string(o.Key) {
		case "id":
			a.setID(cur.Value())
		case "model":
			a.set(&a.model, cur.Value())
		case "service_tier":
			a.set(&a.tier, cur.Value())
		case "system_fingerprint":
			a.set(&a.fingerprint, cur.Value())
		case "choices":
			if whole {
				a.readChoices(&cur, at, true)
			} else {
				choices = cur.Value()
			}
		case "usage":
			a.setUsage(&a.usage, cur.Value())
		case "response": // the events of other endpoints wrap the object
			val := cur.Value()
			a.readWrapped(val)
			odd.response = val
		case "x_groq":
			a.readGroq(cur.Value())
		case "base_resp":
			a.readStatus(cur.Value())
		case "error":
			a.setError(cur.Value())
		case "value":
			a.readBare(cur.Value(), at)
		case "object":
			if string(cur.Value()) == `"error"` {
				a.setError(data)
			}
		case "obfuscation", "p":
			a.cur.padding = cur.Value()
		default:
			if a.unlisted != nil {
				odd.member(o.Key, cur.Value())
			}
		}
	}
	ok = cur.Whole()
	if a.unlisted != nil && (whole || ok) {
		a.readStrange(&odd, data, at, whole)
	}
	// The choices of a chunk last: their reading may depend on the id, wherever that
	// stood. A chunk that was cut off brings none: what decides its meaning may be
	// missing.
	if whole || !ok {
		return ok
	}
	list := jsonwalk.Read(choices)
	a.readChoices(&list, at, false)
	a.learn(data)
	return true
}

// set takes a text that may come again, empty or changed. Empty ones say nothing.
func (a *answer) set(dst *[]byte, val []byte) (changed bool) {
	v := jsonwalk.Inner(val)
	if len(v) == 0 || bytes.Equal(*dst, v) {
		return false
	}
	a.hold(dst, clipRaw(v))
	a.forget()
	return true
}

// hold keeps a text in place of what dst held.
func (a *answer) hold(dst *[]byte, raw []byte) {
	if a.owned {
		*dst = raw[:len(raw):len(raw)]
		return
	}
	*dst = append((*dst)[:0], raw...)
}

// setID keeps the first id that is one: some vendors begin with an empty one. A
// change later means that another response was spliced in.
func (a *answer) setID(val []byte) {
	v := jsonwalk.Inner(val)
	if len(v) == 0 || bytes.Equal(a.lastID, v) {
		return
	}
	if len(a.id) == 0 {
		a.hold(&a.id, clipRaw(v))
	} else {
		a.spliced++
	}
	a.hold(&a.lastID, clipRaw(v))
	a.forget()
}

func (a *answer) setUsage(dst *[]byte, val []byte) {
	if !jsonwalk.IsObject(val) || len(val) > maxUsage {
		return
	}
	a.cur.special = true
	a.lastUsage = a.events
	a.hold(dst, val)
}

func (a *answer) setError(val []byte) {
	if jsonwalk.Empty(val) {
		return
	}
	a.cur.special = true
	if e := apierror.Parse(val); e != nil {
		a.err = e
	}
}

// readGroq reads what Groq puts beside the chunk. Its usage repeats the other
// one where both come: it is never added.
func (a *answer) readGroq(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "usage":
			a.setUsage(&a.fallback, m.Val)
		case "error":
			a.setError(m.Val)
		}
	}
}

// readStatus reads an error as MiniMax tells it, under HTTP 200.
func (a *answer) readStatus(val []byte) {
	if code := number(jsonwalk.Member(val, "status_code")); code != 0 {
		a.cur.special = true
		a.err = &apierror.Error{Code: strconv.Itoa(code), Message: jsonwalk.Clip(jsonwalk.Str(jsonwalk.Member(val, "status_msg")), param.MaxText)}
	}
}

// readWrapped reads the object of an endpoint whose events carry it as a member.
func (a *answer) readWrapped(val []byte) {
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "id":
			a.setID(m.Val)
		case "model":
			a.set(&a.model, m.Val)
		case "service_tier":
			a.set(&a.tier, m.Val)
		case "usage":
			a.setUsage(&a.usage, m.Val)
		case "error":
			a.setError(m.Val)
		case "choices": // Perplexity, of an answer that is fetched
			if a.owned {
				list := jsonwalk.Read(m.Val)
				a.readChoices(&list, time.Time{}, true)
			}
		}
	}
}

// readBare reads a stream of texts without any frame: {"value": "piece"}.
func (a *answer) readBare(val []byte, at time.Time) {
	if len(val) == 0 || val[0] != '"' {
		return
	}
	a.cur.special = true
	a.bare = true
	if c := a.choice(0); c != nil && a.keep(&c.texts[partText], jsonwalk.Inner(val)) {
		a.rhythm.Piece(at)
	}
}

// readChoices takes the choices of a chunk or a plain answer.
func (a *answer) readChoices(cur *jsonwalk.Cursor, at time.Time, whole bool) {
	position := 0
	for e := cur.Array(); e.Next(); position++ {
		a.readChoice(cur, position, at, whole)
	}
}

// readChoice takes one element of choices. In a plain answer its position is its index
// where it tells none.
func (a *answer) readChoice(cur *jsonwalk.Cursor, position int, at time.Time, whole bool) {
	index := 0
	if whole {
		index = position
	}
	var delta, message, text, finish, role []byte
	for o := cur.Object(); o.Next(); {
		switch string(o.Key) {
		case "index":
			index = number(cur.Value())
		case "delta":
			delta = cur.Value()
		case "message":
			message = cur.Value()
		case "text":
			text = cur.Value()
		case "finish_reason":
			finish = jsonwalk.Inner(cur.Value())
		case "role":
			role = cur.Value()
		case "usage": // Moonshot, in streams
			a.setUsage(&a.fallback, cur.Value())
		case "error":
			a.setError(cur.Value())
		}
	}
	if whole && position != index && a.has(index) {
		index = position // some number every choice 0
	}
	c := a.choice(index)
	if c == nil {
		return
	}
	a.cur.choices++
	a.cur.choice = c
	// Of a snapshot beside a delta the delta is new; in a plain answer the message
	// is the whole, and a delta beside it is empty. A text beside either repeats it.
	body := delta
	if !jsonwalk.IsObject(delta) || whole && jsonwalk.IsObject(message) {
		body = message
	}
	before := a.cur.pieces
	switch {
	case !whole && c.pieced && !jsonwalk.IsObject(delta):
		// MiniMax ends with the message that its deltas were.
	case jsonwalk.IsObject(body):
		a.messages = true
		if a.readDelta(c, body, whole); a.cur.pieces == before {
			a.take(c, text, partText) // completions of Together may have but a number in the delta
		}
		c.pieced = c.pieced || a.cur.pieces > before && !whole && jsonwalk.IsObject(delta)
	default:
		a.texts = a.texts || len(text) > 0
		a.setRole(c, role)
		a.take(c, text, partText)
	}
	if len(finish) > 0 {
		a.cur.special = true
		a.hold(&c.finish, clipRaw(finish))
	}
	if a.cur.pieces > before && !whole {
		a.rhythm.Piece(at)
	}
}

// keep adds text within the bound and reports whether there was any.
func (a *answer) keep(t *intake.Text, raw []byte) bool {
	if a.owned {
		return t.Hold(&a.room, raw)
	}
	return t.Add(&a.room, raw)
}

func (a *answer) setRole(c *choice, val []byte) {
	if v := jsonwalk.Inner(val); len(v) > 0 && !bytes.Equal(c.role, v) {
		a.cur.special = true
		a.hold(&c.role, clipRaw(v))
	}
}

func (a *answer) has(index int) bool {
	return slices.ContainsFunc(a.choices, func(c *choice) bool { return c.index == index })
}

// choice returns the choice of that index, a new one if need be; nil when there
// are too many.
func (a *answer) choice(index int) *choice {
	for _, c := range a.choices {
		if c.index == index {
			return c
		}
	}
	if len(a.choices) == maxChoices {
		a.more = true
		return nil
	}
	if len(a.choices) == 0 {
		a.first.index = index
		a.only[0] = &a.first
		a.choices = a.only[:]
		return &a.first
	}
	c := &choice{index: index}
	a.choices = append(a.choices, c)
	slices.SortStableFunc(a.choices, func(x, y *choice) int { return x.index - y.index })
	return c
}

// said says that a choice has something in it.
func (a *answer) said() bool {
	for _, c := range a.choices {
		if len(c.finish)+len(c.calls)+len(c.blobs) > 0 || c.function != nil || c.sound > 0 {
			return true
		}
		for i := range c.texts {
			if c.texts[i].Seen > 0 {
				return true
			}
		}
	}
	return false
}

// unfinished says that a choice has not told why it ended.
func (a *answer) unfinished() bool {
	for _, c := range a.choices {
		if len(c.finish) == 0 {
			return true
		}
	}
	return len(a.choices) == 0
}

// number reads a small whole number; anything else is 0.
func number(val []byte) int {
	n := 0
	for _, c := range val {
		if c < '0' || c > '9' || n > 1<<24 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// clipRaw bounds short texts: names, ids, roles.
func clipRaw(raw []byte) []byte { return raw[:min(len(raw), 1024)] }
