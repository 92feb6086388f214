package openai

import (
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// result is what is read of an answer that is one object, or a stream that ends in
// one: images, audio, documents, batches, runs (wire reference, section 6).
type result struct {
	kind                            endpoint
	id, model, tier, status, reason []byte
	quality, size                   []byte // of images
	usage                           []byte
	err                             *apierror.Error

	deltas, segments, whole intake.Text // the text, as it was streamed and as it was told at the end
	words                   string      // a text that is no JSON
	messages                []*threadMessage
	media                   []llm.Part // images
	calls                   []llm.Part
	seconds                 float64
	pages, results, flagged int
	processed               int64 // pages; -1 when not told
	steps                   llm.Usage
	categories              []string

	room   intake.Room
	rhythm intake.Rhythm
	ended  bool
}

// threadMessage is a message of an assistant, as its pieces come.
type threadMessage struct {
	id   []byte
	text intake.Text
}

// maxMedia bounds the images of one answer.
const maxMedia = 256

// event takes one event of a stream.
func (r *result) event(name, data []byte, at time.Time) (ok bool) {
	kind := string(name)
	var delta, text []byte
	m := jsonwalk.Object(data)
	for m.Next() {
		switch string(m.Key) {
		case "type":
			if k := jsonwalk.Str(m.Val); k != "" && !strings.HasPrefix(kind, "thread.") {
				kind = k
			}
		case "delta":
			delta = m.Val
		case "text":
			text = m.Val
		}
	}
	if !m.Whole() {
		return false
	}
	switch {
	case kind == "error":
		r.setError(data)
	case strings.HasPrefix(kind, "thread."):
		r.thread(kind, data, delta, at)
	case strings.HasSuffix(kind, "partial_image"):
		r.rhythm.Piece(at)
	case strings.HasSuffix(kind, ".completed"): // an image
		r.rhythm.Piece(at)
		r.image(data)
		r.object(data)
	case strings.HasSuffix(kind, ".delta"):
		if delta == nil {
			delta = text
		}
		if r.kind == speech || r.deltas.Add(&r.room, jsonwalk.Inner(delta)) {
			r.rhythm.Piece(at)
		}
	case strings.HasSuffix(kind, ".segment"):
		if r.segments.Add(&r.room, jsonwalk.Inner(text)) && r.deltas.Seen == 0 {
			r.rhythm.Piece(at)
		}
	case strings.HasSuffix(kind, ".done"):
		r.object(data)
		r.ended = true
	default:
		r.object(data)
	}
	return true
}

// object takes the members of an object: the whole of a plain answer, or of the
// last event.
func (r *result) object(val []byte) (whole bool) {
	m := jsonwalk.Object(val)
	for m.Next() {
		r.member(m.Key, m.Val)
	}
	return m.Whole()
}

func (r *result) member(key, val []byte) {
	switch string(key) {
	case "id":
		setRaw(&r.id, val)
	case "model":
		setRaw(&r.model, val)
	case "service_tier":
		setRaw(&r.tier, val)
	case "status":
		setRaw(&r.status, val)
	case "quality":
		setRaw(&r.quality, val)
	case "size":
		setRaw(&r.size, val)
	case "usage_info": // of documents
		if n, ok := count(jsonwalk.Member(val, "pages_processed")); ok {
			r.processed = n
		}
	case "usage":
		if len(val) <= maxUsage && complete(val) {
			r.usage = append(r.usage[:0], val...)
		}
	case "text":
		if r.kind == transcription {
			r.whole = intake.Text{}
			r.whole.Add(&r.room, jsonwalk.Inner(val))
		}
	case "duration": // of what was heard, where no usage tells it
		r.seconds = seconds(val)
	case "data":
		if r.kind == images {
			for e := jsonwalk.Array(val); e.Next(); {
				r.image(e.Val)
			}
		}
	case "results":
		r.readResults(val)
	case "pages":
		for e := jsonwalk.Array(val); e.Next(); {
			r.page(e.Val)
		}
	case "error", "last_error":
		r.setError(val)
	case "errors":
		if list := jsonwalk.Array(jsonwalk.Member(val, "data")); list.Next() {
			r.setError(list.Val)
		}
	case "incomplete_details":
		setRaw(&r.reason, jsonwalk.Member(val, "reason"))
	case "required_action":
		var one prompt
		calls := jsonwalk.Member(jsonwalk.Member(val, "submit_tool_outputs"), "tool_calls")
		for e, n := jsonwalk.Array(calls), 0; e.Next() && n < maxCalls; n++ {
			one.call(e.Val)
		}
		r.calls = one.parts.Done()
	}
}

func (r *result) setError(val []byte) {
	if jsonwalk.Empty(val) {
		return
	}
	if e := apierror.Parse(val); e != nil {
		r.err = e
	}
}

// image takes an image: by link, which is cleaned of its signature, or as data, of
// which size and digest are kept.
func (r *result) image(val []byte) {
	if len(r.media) == maxMedia {
		return
	}
	if data := jsonwalk.Inner(jsonwalk.Member(val, "b64_json")); len(data) > 0 {
		mime := jsonwalk.Str(jsonwalk.Member(val, "mime_type"))
		if f := jsonwalk.Str(jsonwalk.Member(val, "output_format")); f != "" && mime == "" {
			mime = "image/" + f
		}
		r.media = append(r.media, content.Blob(data, "image", mime))
		return
	}
	if link := jsonwalk.Member(val, "url"); len(jsonwalk.Inner(link)) > 0 {
		r.media = append(r.media, content.Link(link, "image"))
	}
}

// readResults reads the verdicts of a moderation.
func (r *result) readResults(list []byte) {
	for e := jsonwalk.Array(list); e.Next(); {
		if r.results++; string(jsonwalk.Member(e.Val, "flagged")) != "true" {
			continue
		}
		r.flagged++
		for m := jsonwalk.Object(jsonwalk.Member(e.Val, "categories")); m.Next() && len(r.categories) < 64; {
			if string(m.Val) == "true" {
				r.categories = append(r.categories, jsonwalk.Clip(jsonwalk.Unescape(m.Key), 64))
			}
		}
	}
}

// page takes a page of a document that was read.
func (r *result) page(val []byte) {
	if r.pages++; r.pages > 1 && r.whole.Seen > 0 {
		r.whole.Add(&r.room, []byte(`\n\n`))
	}
	r.whole.Add(&r.room, jsonwalk.Inner(jsonwalk.Member(val, "markdown")))
}

// thread takes an event of a run.
func (r *result) thread(kind string, data, delta []byte, at time.Time) {
	switch {
	case kind == "thread.message.delta":
		text := r.message(jsonwalk.Member(data, "id"))
		for e := jsonwalk.Array(jsonwalk.Member(delta, "content")); e.Next() && text != nil; {
			if text.Add(&r.room, jsonwalk.Inner(jsonwalk.Member(jsonwalk.Member(e.Val, "text"), "value"))) {
				r.rhythm.Piece(at)
			}
		}
	case kind == "thread.message.completed":
		text := r.message(jsonwalk.Member(data, "id"))
		if text == nil || text.Seen > 0 {
			return
		}
		for e := jsonwalk.Array(jsonwalk.Member(data, "content")); e.Next(); {
			text.Add(&r.room, jsonwalk.Inner(jsonwalk.Member(jsonwalk.Member(e.Val, "text"), "value")))
		}
	case kind == "thread.run.step.delta":
		r.rhythm.Piece(at)
	case strings.HasPrefix(kind, "thread.run.step."):
		if u, ok := readUsage(jsonwalk.Member(data, "usage")); ok {
			addUsage(&r.steps, &u)
		}
	case strings.HasPrefix(kind, "thread.run."):
		r.object(data)
		switch kind {
		case "thread.run.completed", "thread.run.failed", "thread.run.cancelled", "thread.run.expired", "thread.run.incomplete", "thread.run.requires_action":
			r.ended = true
		}
	}
}

func (r *result) message(id []byte) *intake.Text {
	key := jsonwalk.Inner(id)
	for _, m := range r.messages {
		if string(m.id) == string(key) {
			return &m.text
		}
	}
	if len(r.messages) == maxChoices {
		return nil
	}
	m := &threadMessage{id: append([]byte(nil), clipRaw(key)...)}
	r.messages = append(r.messages, m)
	return &m.text
}

// addUsage adds what a step of a run used.
func addUsage(to, u *llm.Usage) {
	for _, k := range llm.UsageKinds() {
		if n, ok := u.Get(k); ok {
			sum, _ := to.Get(k)
			to.Set(k, sum+n)
		}
	}
}
