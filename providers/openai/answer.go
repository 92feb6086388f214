package openai

import (
	"bytes"
	"slices"
	"time"
)

// Bounds on what is kept of one answer. What is past them is counted and left out.
const (
	maxText    = 1 << 20 // bytes of text, arguments included, still escaped
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
	err                      *apiError

	rhythm     rhythm
	events     int
	unreadable int  // events that are no JSON object
	lastUsage  int  // event that brought the last usage
	done       bool // the end mark came
	bare       bool // the format has no end mark and no finish reason (Writer)
	spliced    int  // how often the response id changed

	kept  int   // bytes of text kept
	lost  int64 // bytes of text past the bound
	calls int
	more  bool // choices or calls past the bound

	templates [2]template
	turn      int
	cur       sketch
}

// choice is one choice of the answer.
type choice struct {
	index                               int
	role, finish                        []byte
	text, reasoning, refusal, voice     []byte // voice: transcript of audio
	textN, reasoningN, refusalN, voiceN int    // bytes seen, kept or not
	calls                               []*toolCall
	function                            *toolCall // legacy function_call
}

// read takes one chunk, or the whole object of a plain answer. ok is false when
// it is no JSON object from beginning to end; what could be read is taken all
// the same.
func (a *answer) read(data []byte, at time.Time, whole bool) (ok bool) {
	a.cur = sketch{}
	var choices []byte
	m := object(data)
	for m.next() {
		switch string(m.key) {
		case "id":
			a.setID(m.val)
		case "model":
			a.set(&a.model, m.val)
		case "service_tier":
			a.set(&a.tier, m.val)
		case "system_fingerprint":
			a.set(&a.fingerprint, m.val)
		case "choices":
			choices = m.val
		case "usage":
			a.setUsage(&a.usage, m.val)
		case "response": // the events of other endpoints wrap the object
			a.readWrapped(m.val)
		case "x_groq":
			a.readGroq(m.val)
		case "error":
			a.setError(m.val)
		case "value":
			a.readBare(m.val, at)
		case "object":
			if string(m.val) == `"error"` {
				a.setError(data)
			}
		case "obfuscation", "p":
			a.cur.padding = m.val
		}
	}
	// Choices last: their reading may depend on the id, wherever that stood. A chunk
	// that was cut off brings none: what decides its meaning may be missing.
	if ok = m.whole(); !ok && !whole {
		return false
	}
	position := 0
	for e := array(choices); e.next(); position++ {
		a.readChoice(e.val, position, at, whole)
	}
	if ok && !whole {
		a.learn(data)
	}
	return ok
}

// set takes a text that may come again, empty or changed. Empty ones say nothing.
func (a *answer) set(dst *[]byte, val []byte) (changed bool) {
	v := inner(val)
	if len(v) == 0 || bytes.Equal(*dst, v) {
		return false
	}
	*dst = append((*dst)[:0], clipRaw(v)...)
	a.forget()
	return true
}

// setID keeps the first id that is one: some vendors begin with an empty one. A
// change later means that another response was spliced in.
func (a *answer) setID(val []byte) {
	v := inner(val)
	if len(v) == 0 || bytes.Equal(a.lastID, v) {
		return
	}
	if len(a.id) == 0 {
		a.id = append(a.id, clipRaw(v)...)
	} else {
		a.spliced++
	}
	a.lastID = append(a.lastID[:0], clipRaw(v)...)
	a.forget()
}

func (a *answer) setUsage(dst *[]byte, val []byte) {
	if !isObject(val) || len(val) > maxUsage {
		return
	}
	a.cur.special = true
	a.lastUsage = a.events
	*dst = append((*dst)[:0], val...)
}

func (a *answer) setError(val []byte) {
	if empty(val) {
		return
	}
	a.cur.special = true
	if e := parseError(val); e != nil {
		a.err = e
	}
}

// readGroq reads what Groq puts beside the chunk. Its usage repeats the other
// one where both come: it is never added.
func (a *answer) readGroq(val []byte) {
	for m := object(val); m.next(); {
		switch string(m.key) {
		case "usage":
			a.setUsage(&a.fallback, m.val)
		case "error":
			a.setError(m.val)
		}
	}
}

// readWrapped reads the object of an endpoint whose events carry it as a member.
func (a *answer) readWrapped(val []byte) {
	for m := object(val); m.next(); {
		switch string(m.key) {
		case "id":
			a.setID(m.val)
		case "model":
			a.set(&a.model, m.val)
		case "service_tier":
			a.set(&a.tier, m.val)
		case "usage":
			a.setUsage(&a.usage, m.val)
		case "error":
			a.setError(m.val)
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
	if c := a.choice(0); c != nil && a.keep(&c.text, &c.textN, inner(val)) {
		a.rhythm.piece(at)
	}
}

// readChoice takes one element of choices.
func (a *answer) readChoice(val []byte, position int, at time.Time, whole bool) {
	var delta, message, text, finish, role []byte
	index := 0
	if whole {
		index = position
	}
	for m := object(val); m.next(); {
		switch string(m.key) {
		case "index":
			index = number(m.val)
		case "delta":
			delta = m.val
		case "message":
			message = m.val
		case "text":
			text = m.val
		case "finish_reason":
			finish = inner(m.val)
		case "role":
			role = m.val
		case "error":
			a.setError(m.val)
		}
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
	if !isObject(delta) || whole && isObject(message) {
		body = message
	}
	before := a.cur.pieces
	if isObject(body) {
		a.readDelta(c, body, whole)
	} else {
		a.setRole(c, role)
		a.take(c, text, partText)
	}
	if len(finish) > 0 {
		a.cur.special = true
		c.finish = append(c.finish[:0], clipRaw(finish)...)
	}
	if a.cur.pieces > before && !whole {
		a.rhythm.piece(at)
	}
}

// readDelta takes the delta of a chunk, or the message of a plain answer.
func (a *answer) readDelta(c *choice, body []byte, whole bool) {
	var content, reasoning, reasoning2 []byte
	for m := object(body); m.next(); {
		switch string(m.key) {
		case "role":
			a.setRole(c, m.val)
		case "content":
			content = m.val
		case "reasoning_content":
			reasoning = m.val
		case "reasoning":
			reasoning2 = m.val
		case "refusal":
			a.take(c, m.val, partRefusal)
		case "tool_calls":
			a.readCalls(c, m.val, whole)
		case "function_call":
			a.readFunction(c, m.val)
		case "audio":
			if t := member(m.val, "transcript"); t != nil {
				a.take(c, t, partVoice)
			}
		}
	}
	// Where both names come they carry the same text.
	if empty(reasoning) {
		reasoning = reasoning2
	}
	a.take(c, reasoning, partReasoning)
	if len(content) > 0 && content[0] == '[' {
		a.readParts(c, content)
		return
	}
	a.take(c, content, partText)
}

// readParts reads content that is a list of parts: {type: text | thinking …}.
func (a *answer) readParts(c *choice, list []byte) {
	a.cur.special = true
	for e := array(list); e.next(); {
		if e.val[0] == '"' {
			a.take(c, e.val, partText)
			continue
		}
		for m := object(e.val); m.next(); {
			switch string(m.key) {
			case "text", "output_text":
				a.take(c, m.val, partText)
			case "refusal":
				a.take(c, m.val, partRefusal)
			case "thinking", "reasoning":
				a.readThinking(c, m.val)
			}
		}
	}
}

// readThinking reads reasoning that is a text or a list of text parts.
func (a *answer) readThinking(c *choice, val []byte) {
	if val[0] == '"' {
		a.take(c, val, partReasoning)
	}
	for e := array(val); e.next(); {
		if e.val[0] == '"' {
			a.take(c, e.val, partReasoning)
		} else if t := member(e.val, "text"); t != nil {
			a.take(c, t, partReasoning)
		}
	}
}

// partKind is where a text of a choice goes.
type partKind uint8

const (
	partText partKind = iota
	partReasoning
	partRefusal
	partVoice
)

func (c *choice) part(k partKind) (dst *[]byte, n *int) {
	switch k {
	case partReasoning:
		return &c.reasoning, &c.reasoningN
	case partRefusal:
		return &c.refusal, &c.refusalN
	case partVoice:
		return &c.voice, &c.voiceN
	}
	return &c.text, &c.textN
}

// take appends a text to a choice.
func (a *answer) take(c *choice, val []byte, k partKind) {
	raw := inner(val)
	if len(raw) == 0 {
		return
	}
	dst, n := c.part(k)
	a.keep(dst, n, raw)
	a.cur.pieces++
	a.cur.kind, a.cur.val = k, raw
}

// keep appends text within the bound and reports whether there was any.
func (a *answer) keep(dst *[]byte, n *int, raw []byte) bool {
	*n += len(raw)
	if room := maxText - a.kept; len(raw) > room {
		a.lost += int64(len(raw) - room)
		raw = trimEscape(raw[:room])
	}
	a.kept += len(raw)
	*dst = append(*dst, raw...)
	return *n > 0
}

func (a *answer) setRole(c *choice, val []byte) {
	if v := inner(val); len(v) > 0 && !bytes.Equal(c.role, v) {
		a.cur.special = true
		c.role = append(c.role[:0], clipRaw(v)...)
	}
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
	c := &choice{index: index}
	a.choices = append(a.choices, c)
	slices.SortStableFunc(a.choices, func(x, y *choice) int { return x.index - y.index })
	return c
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
func clipRaw(raw []byte) []byte {
	const most = 1024
	if len(raw) > most {
		return trimEscape(raw[:most])
	}
	return raw
}
