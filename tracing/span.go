package tracing

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanwire/spanwire/llm"
)

// encoder writes a call as the bytes of an OTLP Span message. One encoder is used
// by one goroutine at a time.
type encoder struct {
	limits  Limits
	room    func() []byte // empty memory for the next span; by default that of the last one
	span    message
	text    []byte // JSON text of the attribute being written
	status  []byte
	objects *objects
	hide    bool // HideUsageUnderParent
}

func newEncoder(cfg Config) *encoder {
	e := &encoder{limits: cfg.Limits, objects: newObjects(), hide: cfg.HideUsageUnderParent}
	e.room = func() []byte { return e.span.b[:0] }
	return e
}

// each calls f with every span of a call: those that were inferred beside it, then
// its own. Each lies in what room gave, unless it
// was longer.
func (e *encoder) each(c *llm.Call, f func(span []byte)) {
	if c.Run != nil {
		for i := range c.Run.Inferred {
			if inf := &c.Run.Inferred[i]; inf.Span != (llm.SpanRef{}) {
				f(e.inferred(c, inf))
			}
		}
	}
	f(e.encode(c))
}

// encode returns the span of a call.
func (e *encoder) encode(c *llm.Call) []byte {
	if c.Kind == llm.KindRun {
		return e.run(c)
	}
	start, end := timesOf(c)
	place := NewPlace(c.Place)
	e.begin(place, spanNameOf(c), kindClient, start, end)
	e.common(c)
	if c.Kind == llm.KindHTTP {
		e.http(c)
	} else {
		e.inference(c)
	}
	e.timing(c)
	e.content(c)
	e.attribution(c)
	e.placement(c)
	e.carried(c) // last: when there are too many attributes, these go
	return e.finish(c, place)
}

// begin writes what comes before the attributes of a span.
func (e *encoder) begin(place llm.Place, name string, kind uint64, start, end time.Time) {
	m := &e.span
	*m = message{b: e.room(), limit: e.limits.ValueBytes, max: e.limits.Attributes}
	m.bytes(spanTraceID, place.Trace[:])
	m.bytes(spanID, place.Span[:])
	m.text(spanState, cleanText(place.State, maxState))
	if place.Parent != ([8]byte{}) {
		m.bytes(spanParent, place.Parent[:])
	}
	m.text(spanName, name)
	m.varint(spanKind, kind)
	m.fixed64(spanStart, uint64(start.UnixNano()))
	m.fixed64(spanEnd, uint64(end.UnixNano()))
}

// finish writes what comes after them. c is nil for a span that was inferred: it
// has no links, and nothing is known to have gone wrong in it.
func (e *encoder) finish(c *llm.Call, place llm.Place) []byte {
	m := &e.span
	if m.dropped > 0 {
		m.varint(spanDroppedAttrs, uint64(m.dropped))
	}
	if c != nil {
		e.links(c)
		e.writeStatus(c)
	}
	flags := uint32(place.Flags)
	if place.Parent != ([8]byte{}) {
		flags |= flagHasRemote
		if place.Remote {
			flags |= flagRemote
		}
	}
	m.fixed32(spanFlags, flags)
	return m.b
}

// maxState is what W3C trace context asks a tracestate to be carried up to.
const maxState = 512

// common writes what every span has.
func (e *encoder) common(c *llm.Call) {
	m := &e.span
	m.str(keyCallID, c.ID)
	m.str(keyKind, string(kindOf(c)))
	m.str(keyRoute, c.Route)
	m.str(keyServerAddress, c.ServerAddress)
	if c.ServerAddress != "" && c.ServerPort > 0 {
		m.integer(keyServerPort, int64(c.ServerPort))
	}
	if c.Status > 0 {
		m.integer(keyHTTPStatus, int64(c.Status))
	}
	m.str(keyErrorType, errorType(c))
	m.str(keyEnd, string(c.Ended))
	m.integer(keyRequestBytes, c.RequestBytes)
	m.integer(keyResponseBytes, c.ResponseBytes)
	m.strings(keyProblems, c.Problems)
}

// http writes a relayed exchange that is no call of a model, by
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span.
func (e *encoder) http(c *llm.Call) {
	m := &e.span
	method := methodOf(c.Method)
	m.str(keyHTTPMethod, method)
	if method == otherMethod {
		m.str(keyHTTPMethodRaw, c.Method)
	}
	m.str(keyURLPath, c.Path)
	if c.Usage.Known() {
		e.ownUsage(c)
	}
	if c.Cost.Known() {
		e.ownCost(c)
	}
}

// inference writes a call of a model.
func (e *encoder) inference(c *llm.Call) {
	m := &e.span
	m.str(keyOperation, c.Operation)
	m.str(keyProvider, c.Provider)
	m.str(keyRequestModel, c.RequestModel)
	if c.Stream {
		m.boolean(keyRequestStream, true)
	}
	m.str(keyResponseModel, c.ResponseModel)
	m.str(keyResponseID, c.ResponseID)
	m.strings(keyFinishReasons, c.FinishReasons)
	if c.Stream {
		if d, ok := since(c.Start, c.FirstByte); ok {
			m.double(keyFirstChunk, d)
		}
	}
	if !e.hide || !c.Place.Remote {
		e.usage(c)
	}
	e.ownUsage(c)
	e.ownCost(c)
}

// usage writes the token counts of the conventions, which include their subsets.
func (e *encoder) usage(c *llm.Call) {
	put := func(key string, n int64, known bool) {
		if known {
			e.span.integer(key, n)
		}
	}
	u := &c.Usage
	if u.Known() {
		n, ok := u.Input()
		put(keyInputTokens, n, ok)
		n, ok = u.Output()
		put(keyOutputTokens, n, ok)
		n, ok = u.CacheReads()
		put(keyCacheRead, n, ok)
		n, ok = u.CacheWrites()
		put(keyCacheCreation, n, ok)
		n, ok = u.Get(llm.Reasoning)
		put(keyReasoningTokens, n, ok)
	}
	if c.Cost.Known() && c.Cost.Currency == llm.USD {
		e.span.double(keyUsageCost, c.Cost.Total.USD())
	}
}

// ownUsage writes the disjoint counts and where they are from.
func (e *encoder) ownUsage(c *llm.Call) {
	m := &e.span
	source := c.Usage.Source
	if source == "" && !c.Usage.Known() {
		source = llm.UsageMissing
	}
	m.str(keyUsageSource, string(source))
	m.str(keyUsageRaw, c.UsageRaw)
	for _, kind := range kinds {
		if n, ok := c.Usage.Get(kind.kind); ok && n > 0 {
			m.integer(kind.key, n)
		}
	}
}

// kinds are the attribute keys of the disjoint counts.
var kinds = func() (keys []struct {
	kind llm.UsageKind
	key  string
}) {
	for _, k := range llm.UsageKinds() {
		keys = append(keys, struct {
			kind llm.UsageKind
			key  string
		}{k, keyUsagePrefix + k.String()})
	}
	return keys
}()

func (e *encoder) ownCost(c *llm.Call) {
	m := &e.span
	cost := &c.Cost
	m.str(keyCostStatus, string(cost.Status))
	if !cost.Known() {
		m.raw(keyCostSource, string(llm.CostUnset))
		return
	}
	m.str(keyCostSource, string(cost.Source))
	m.str(keyCostPrice, cost.Price)
	if cost.Currency == llm.USD {
		m.raw(keyCostUSD, cost.Total.String())
	} else {
		m.raw(keyCostTotal, cost.Total.String())
		m.str(keyCostCurrency, cost.Currency.String())
	}
	part := func(key string, p llm.Pico) {
		if p != 0 {
			m.raw(key, p.String())
		}
	}
	part(keyCostInput, cost.Input)
	part(keyCostOutput, cost.Output)
	part(keyCostCacheRead, cost.CacheRead)
	part(keyCostCacheWrite, cost.CacheWrite)
	part(keyCostTools, cost.Tools)
}

func (e *encoder) timing(c *llm.Call) {
	m := &e.span
	if d, ok := since(c.Start, c.FirstToken); ok {
		m.double(keyFirstToken, d)
	}
	if c.Chunks.Count > 0 {
		m.integer(keyChunks, int64(c.Chunks.Count))
	}
	if c.Chunks.Count > 1 {
		m.double(keyGapMean, c.Chunks.GapMean.Seconds())
		m.double(keyGapP95, c.Chunks.GapP95.Seconds())
		m.double(keyGapMax, c.Chunks.GapMax.Seconds())
	}
	if c.Overhead > 0 {
		m.double(keyOverhead, c.Overhead.Seconds())
	}
}

func (e *encoder) attribution(c *llm.Call) {
	m := &e.span
	a := &c.Attribution
	m.str(keyTeam, a.Team)
	m.str(keyUserID, a.User)
	m.str(keyConversation, a.Session)
	m.str(keySessionID, a.Session)
	m.str(keyAgent, a.Agent)
	m.strings(keyTags, a.Tags)
	for i, pair := range a.Metadata {
		if m.full(len(a.Metadata) - i) {
			break
		}
		if repeated(a.Metadata[:i], pair.Key) {
			continue
		}
		m.attr(llm.Attr{Key: keyMetadataPrefix + pair.Key, Value: pair.Value})
	}
	m.str(keyKeyFingerprint, a.Key)
	if c.Retry > 0 {
		m.integer(keyRetryCount, int64(c.Retry))
	}
}

// carried writes the attributes that a call only carries.
func (e *encoder) carried(c *llm.Call) {
	for i, a := range c.Attrs {
		if e.span.full(len(c.Attrs) - i) {
			return
		}
		if _, ours := computed[a.Key]; ours || repeated(c.Attrs[:i], a.Key) {
			continue
		}
		if a.Key == keyChoiceCount && (a.Value == int64(1) || a.Value == 1) {
			continue // required only if it is not 1
		}
		e.span.attr(a)
	}
}

func repeated(attrs []llm.Attr, key string) bool {
	for i := range attrs {
		if attrs[i].Key == key {
			return true
		}
	}
	return false
}

// content writes prompts and answers.
func (e *encoder) content(c *llm.Call) {
	if c.Content == llm.ContentOff {
		return
	}
	w := content{limit: e.limits.ContentBytes, metadata: c.Content == llm.ContentMetadata, objects: e.objects}
	put := func(key string) {
		text, n := shrinkJSON(e.text, e.limits.ContentBytes)
		e.span.json(key, text)
		w.cut += n
	}
	if len(c.System) > 0 {
		e.text = w.parts(e.text[:0], c.System)
		put(keySystem)
	}
	if len(c.Input) > 0 {
		e.text = w.messages(e.text[:0], c.Input, false, "")
		put(keyInput)
	}
	if len(c.Output) > 0 {
		e.text = w.messages(e.text[:0], c.Output, true, c.Ended)
		put(keyOutput)
	}
	if len(c.Tools) > 0 {
		e.text = w.tools(e.text[:0], c.Tools)
		put(keyTools)
	}
	if w.cut > 0 {
		e.span.integer(keyContentTruncated, int64(w.cut))
	}
}

// writeStatus leaves the status unset on success, as the conventions ask.
func (e *encoder) writeStatus(c *llm.Call) {
	if errorType(c) == "" {
		return
	}
	s := message{b: e.status[:0]}
	s.text(statusMessage, cleanText(c.ErrorMessage, e.limits.ValueBytes))
	s.varint(statusCode, statusError)
	e.status = s.b
	e.span.b = tag(e.span.b, spanStatus, protowire.BytesType)
	e.span.b = append(varint(e.span.b, uint64(len(s.b))), s.b...)
}
