package callrecord

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/spanwire/spanwire/llm"
)

// The types below are llm's as they stand in a record. Those that are converted
// as a whole (part, tool, chunks, cost, place) do not compile when llm has a field
// that they lack: give it the next free number and a name for the export.

// Facts is a call without what was said in it.
type Facts struct {
	ID        string   `cbor:"1,keyasint,omitempty" json:"id"`
	Kind      llm.Kind `cbor:"2,keyasint,omitempty" json:"kind,omitempty"`
	Operation string   `cbor:"3,keyasint,omitempty" json:"operation,omitempty"`
	Provider  string   `cbor:"4,keyasint,omitempty" json:"provider,omitempty"`
	Route     string   `cbor:"5,keyasint,omitempty" json:"route,omitempty"`

	RequestModel  string `cbor:"6,keyasint,omitempty" json:"request_model,omitempty"`
	ResponseModel string `cbor:"7,keyasint,omitempty" json:"response_model,omitempty"`
	ResponseID    string `cbor:"8,keyasint,omitempty" json:"response_id,omitempty"`
	Stream        bool   `cbor:"9,keyasint,omitempty" json:"stream,omitempty"`

	Method        string `cbor:"10,keyasint,omitempty" json:"method,omitempty"`
	Path          string `cbor:"11,keyasint,omitempty" json:"path,omitempty"`
	ServerAddress string `cbor:"12,keyasint,omitempty" json:"server_address,omitempty"`
	ServerPort    int    `cbor:"13,keyasint,omitempty" json:"server_port,omitempty"`
	Status        int    `cbor:"14,keyasint,omitempty" json:"status,omitempty"`

	Start      moment        `cbor:"15,keyasint,omitzero" json:"start,omitzero"`
	FirstByte  moment        `cbor:"16,keyasint,omitzero" json:"first_byte,omitzero"`
	FirstToken moment        `cbor:"17,keyasint,omitzero" json:"first_token,omitzero"`
	End        moment        `cbor:"18,keyasint,omitzero" json:"end,omitzero"`
	Overhead   time.Duration `cbor:"19,keyasint,omitempty" json:"overhead_ns,omitempty"`
	Chunks     chunks        `cbor:"20,keyasint,omitzero" json:"chunks,omitzero"`

	Ended        llm.End `cbor:"21,keyasint,omitempty" json:"ended,omitempty"`
	ErrorType    string  `cbor:"22,keyasint,omitempty" json:"error_type,omitempty"`
	ErrorMessage string  `cbor:"23,keyasint,omitempty" json:"error_message,omitempty"`

	RequestBytes  int64 `cbor:"24,keyasint,omitempty" json:"request_bytes,omitempty"`
	ResponseBytes int64 `cbor:"25,keyasint,omitempty" json:"response_bytes,omitempty"`

	FinishReasons []string `cbor:"26,keyasint,omitempty" json:"finish_reasons,omitempty"`

	Usage    usage  `cbor:"27,keyasint,omitzero" json:"usage,omitzero"`
	Steps    []step `cbor:"28,keyasint,omitempty" json:"steps,omitempty"`
	UsageRaw string `cbor:"29,keyasint,omitempty" json:"usage_raw,omitempty"`
	Cost     cost   `cbor:"30,keyasint,omitzero" json:"cost,omitzero"`

	Attribution attribution     `cbor:"31,keyasint,omitzero" json:"attribution,omitzero"`
	Place       place           `cbor:"32,keyasint,omitzero" json:"place,omitzero"`
	Content     llm.ContentMode `cbor:"33,keyasint,omitempty" json:"content_mode,omitempty"`
	OmitInput   bool            `cbor:"34,keyasint,omitempty" json:"omit_input,omitempty"`
	OmitOutput  bool            `cbor:"35,keyasint,omitempty" json:"omit_output,omitempty"`

	Retry    int      `cbor:"36,keyasint,omitempty" json:"retry,omitempty"`
	Attrs    []attr   `cbor:"37,keyasint,omitempty" json:"attrs,omitempty"`
	Problems []string `cbor:"38,keyasint,omitempty" json:"problems,omitempty"`
	UsageOf  string   `cbor:"39,keyasint,omitempty" json:"usage_of,omitempty"`
	Run      *run     `cbor:"40,keyasint,omitempty" json:"run,omitempty"`
}

// Said is what was said in a call.
type Said struct {
	System       []part    `cbor:"1,keyasint,omitempty" json:"system,omitempty"`
	Input        []message `cbor:"2,keyasint,omitempty" json:"input,omitempty"`
	Output       []message `cbor:"3,keyasint,omitempty" json:"output,omitempty"`
	Tools        []tool    `cbor:"4,keyasint,omitempty" json:"tools,omitempty"`
	OutputSchema string    `cbor:"5,keyasint,omitempty" json:"output_schema,omitempty"`
	Inferred     [][]part  `cbor:"6,keyasint,omitempty" json:"inferred,omitempty"` // of each piece of the run
	Raw          *raw      `cbor:"7,keyasint,omitempty" json:"raw,omitempty"`
}

// raw is llm.Raw.
type raw struct {
	Request          string `cbor:"1,keyasint,omitempty" json:"request,omitempty"`
	Response         string `cbor:"2,keyasint,omitempty" json:"response,omitempty"`
	RequestCut       bool   `cbor:"3,keyasint,omitempty" json:"request_cut,omitempty"`
	ResponseCut      bool   `cbor:"4,keyasint,omitempty" json:"response_cut,omitempty"`
	RequestRedacted  bool   `cbor:"5,keyasint,omitempty" json:"request_redacted,omitempty"`
	ResponseRedacted bool   `cbor:"6,keyasint,omitempty" json:"response_redacted,omitempty"`
}

type message struct {
	Role         string `cbor:"1,keyasint,omitempty" json:"role,omitempty"`
	Name         string `cbor:"2,keyasint,omitempty" json:"name,omitempty"`
	Parts        []part `cbor:"3,keyasint,omitempty" json:"parts,omitempty"`
	FinishReason string `cbor:"4,keyasint,omitempty" json:"finish_reason,omitempty"`
}

type part struct {
	Type      string `cbor:"1,keyasint,omitempty" json:"type,omitempty"`
	Content   string `cbor:"2,keyasint,omitempty" json:"content,omitempty"`
	ID        string `cbor:"3,keyasint,omitempty" json:"id,omitempty"`
	Name      string `cbor:"4,keyasint,omitempty" json:"name,omitempty"`
	Arguments string `cbor:"5,keyasint,omitempty" json:"arguments,omitempty"`
	Response  string `cbor:"6,keyasint,omitempty" json:"response,omitempty"`
	Failed    bool   `cbor:"14,keyasint,omitempty" json:"failed,omitempty"`
	Item      string `cbor:"15,keyasint,omitempty" json:"item,omitempty"`
	Modality  string `cbor:"7,keyasint,omitempty" json:"modality,omitempty"`
	MIMEType  string `cbor:"8,keyasint,omitempty" json:"mime_type,omitempty"`
	URI       string `cbor:"9,keyasint,omitempty" json:"uri,omitempty"`
	Size      int64  `cbor:"10,keyasint,omitempty" json:"size,omitempty"`
	SHA256    string `cbor:"11,keyasint,omitempty" json:"sha256,omitempty"`
	Width     int    `cbor:"12,keyasint,omitempty" json:"width,omitempty"`
	Height    int    `cbor:"13,keyasint,omitempty" json:"height,omitempty"`
	Detail    string `cbor:"16,keyasint,omitempty" json:"detail,omitempty"`
}

type tool struct {
	Type        string `cbor:"1,keyasint,omitempty" json:"type,omitempty"`
	Name        string `cbor:"2,keyasint,omitempty" json:"name,omitempty"`
	Description string `cbor:"3,keyasint,omitempty" json:"description,omitempty"`
	Parameters  string `cbor:"4,keyasint,omitempty" json:"parameters,omitempty"`
}

type chunks struct {
	Count   int           `cbor:"1,keyasint,omitempty" json:"count,omitempty"`
	GapMean time.Duration `cbor:"2,keyasint,omitempty" json:"gap_mean_ns,omitempty"`
	GapP95  time.Duration `cbor:"3,keyasint,omitempty" json:"gap_p95_ns,omitempty"`
	GapMax  time.Duration `cbor:"4,keyasint,omitempty" json:"gap_max_ns,omitempty"`
}

type cost struct {
	Total      llm.Pico       `cbor:"1,keyasint,omitempty"`
	Input      llm.Pico       `cbor:"2,keyasint,omitempty"`
	Output     llm.Pico       `cbor:"3,keyasint,omitempty"`
	CacheRead  llm.Pico       `cbor:"4,keyasint,omitempty"`
	CacheWrite llm.Pico       `cbor:"5,keyasint,omitempty"`
	Tools      llm.Pico       `cbor:"6,keyasint,omitempty"`
	Currency   llm.Currency   `cbor:"12,keyasint,omitempty"`
	Source     llm.CostSource `cbor:"7,keyasint,omitempty"`
	Status     llm.CostStatus `cbor:"8,keyasint,omitempty"`
	Price      string         `cbor:"9,keyasint,omitempty"`
	Table      llm.Pico       `cbor:"10,keyasint,omitempty"`
	HasTable   bool           `cbor:"11,keyasint,omitempty"`
}

type place struct {
	Trace      [16]byte `cbor:"1,keyasint,omitzero"`
	Span       [8]byte  `cbor:"2,keyasint,omitzero"`
	Parent     [8]byte  `cbor:"3,keyasint,omitzero"`
	Flags      byte     `cbor:"4,keyasint,omitempty"`
	State      string   `cbor:"5,keyasint,omitempty"`
	Remote     bool     `cbor:"6,keyasint,omitempty"`
	ParentCall string   `cbor:"7,keyasint,omitempty"`
}

type attribution struct {
	Team          string   `cbor:"1,keyasint,omitempty" json:"team,omitempty"`
	User          string   `cbor:"2,keyasint,omitempty" json:"user,omitempty"`
	Session       string   `cbor:"3,keyasint,omitempty" json:"session,omitempty"`
	SessionSource string   `cbor:"4,keyasint,omitempty" json:"session_source,omitempty"`
	Agent         string   `cbor:"5,keyasint,omitempty" json:"agent,omitempty"`
	Tags          []string `cbor:"6,keyasint,omitempty" json:"tags,omitempty"`
	Metadata      []attr   `cbor:"7,keyasint,omitempty" json:"metadata,omitempty"`
	Key           string   `cbor:"8,keyasint,omitempty" json:"key,omitempty"`
}

type step struct {
	Kind  string `cbor:"1,keyasint,omitempty" json:"kind,omitempty"`
	Model string `cbor:"2,keyasint,omitempty" json:"model,omitempty"`
	Usage usage  `cbor:"3,keyasint,omitzero" json:"usage,omitzero"`
}

// attr is [key, value].
type attr struct {
	_     struct{} `cbor:",toarray"`
	Key   string
	Value any
}

// moment is [seconds, nanoseconds] since 1970, which holds every time.Time. The
// zone is not kept. Absent is no time; 1970 itself is [0, -1].
type moment struct {
	_    struct{} `cbor:",toarray"`
	Sec  int64
	Nsec int32
}

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	m := moment{Sec: t.Unix(), Nsec: int32(t.Nanosecond())}
	if m == (moment{}) {
		m.Nsec = -1 // the zero moment stands for no time at all; 1970 is a time
	}
	return m
}

func (m moment) time() time.Time {
	switch m {
	case moment{}:
		return time.Time{}
	case moment{Nsec: -1}:
		return time.Unix(0, 0).UTC()
	}
	return time.Unix(m.Sec, int64(m.Nsec)).UTC()
}

// Marshal appends v, a struct with numbers for keys, as records have it.
func Marshal(out *bytes.Buffer, v any) error { return encoding.MarshalToBuffer(v, out) }

// Unmarshal reads what [Marshal] wrote. What it sets shares no memory with b.
func Unmarshal(b []byte, v any) error { return decoding.Unmarshal(b, v) }

// encoding is CBOR as records have it.
var encoding, decoding = func() (cbor.UserBufferEncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{String: cbor.StringToByteString}.UserBufferEncMode()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	dec, err := cbor.DecOptions{
		ByteStringToString:    cbor.ByteStringToStringAllowed,
		DefaultByteStringType: reflect.TypeFor[string](),
		IntDec:                cbor.IntDecConvertSignedOrFail,
		UTF8:                  cbor.UTF8DecodeInvalid,
		// The length of the input, which is checked before anything is allocated,
		// bounds what it can hold: these only must not be in the way.
		MaxArrayElements: math.MaxInt32,
		MaxMapPairs:      math.MaxInt32,
		MaxNestedLevels:  16,
	}.DecMode()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return enc, dec
}()

// Encoder turns calls into bytes: their facts, and what was said in them. The zero
// value is ready. It keeps memory from one call to the
// next, and is used by one goroutine.
type Encoder struct {
	parts    []part
	messages []message
	tools    []tool
	attrs    []attr
	facts    Facts
	said     Said
}

// Said appends what was said in c, or nothing when nothing was.
func (e *Encoder) Said(out *bytes.Buffer, c *llm.Call) error {
	if len(c.System) == 0 && len(c.Input) == 0 && len(c.Output) == 0 && len(c.Tools) == 0 && c.OutputSchema == "" && !hasParts(c.Run) && c.Raw == nil {
		return nil
	}
	defer e.reset()
	e.said = Said{System: e.partsOf(c.System), Input: e.messagesOf(c.Input), Output: e.messagesOf(c.Output), OutputSchema: c.OutputSchema, Inferred: e.inferredParts(c.Run)}
	for _, t := range c.Tools {
		e.tools = append(e.tools, tool(t))
	}
	e.said.Tools = e.tools
	if c.Raw != nil {
		r := raw(*c.Raw)
		e.said.Raw = &r
	}
	out.Write(appendSaid(out.AvailableBuffer(), &e.said))
	return nil
}

// reset lets go of the texts, and of memory that one large call needed.
func (e *Encoder) reset() {
	const most = 4096
	if cap(e.parts) > most || cap(e.messages) > most || cap(e.tools) > most || cap(e.attrs) > most {
		*e = Encoder{}
		return
	}
	e.facts, e.said = Facts{}, Said{}
	clear(e.parts)
	clear(e.messages)
	clear(e.tools)
	clear(e.attrs)
	e.parts, e.messages, e.tools, e.attrs = e.parts[:0], e.messages[:0], e.tools[:0], e.attrs[:0]
}

func (e *Encoder) partsOf(ps []llm.Part) []part {
	from := len(e.parts)
	for i := range ps {
		e.parts = append(e.parts, part(ps[i]))
	}
	return e.parts[from:len(e.parts):len(e.parts)]
}

func (e *Encoder) messagesOf(ms []llm.Message) []message {
	from := len(e.messages)
	for i := range ms {
		m := &ms[i]
		e.messages = append(e.messages, message{m.Role, m.Name, e.partsOf(m.Parts), m.FinishReason})
	}
	return e.messages[from:len(e.messages):len(e.messages)]
}

func (e *Encoder) attrsOf(as []llm.Attr) []attr {
	if len(as) == 0 {
		return nil
	}
	from := len(e.attrs)
	for _, a := range as {
		e.attrs = append(e.attrs, attr{Key: a.Key, Value: plain(a.Value)})
	}
	return e.attrs[from:len(e.attrs):len(e.attrs)]
}

// plain returns a value of the kinds that an attribute may have as it is, and any
// other as text.
func plain(v any) any {
	switch v := v.(type) {
	case string, int64, float64, bool, []string, nil:
		return v
	case int:
		return int64(v)
	}
	return fmt.Sprint(v)
}

// Facts appends everything else about c.
func (e *Encoder) Facts(out *bytes.Buffer, c *llm.Call) error {
	defer e.reset()
	e.facts = Facts{
		ID: c.ID, Kind: c.Kind, Operation: c.Operation, Provider: c.Provider, Route: c.Route,
		RequestModel: c.RequestModel, ResponseModel: c.ResponseModel, ResponseID: c.ResponseID, Stream: c.Stream,
		Method: c.Method, Path: c.Path, ServerAddress: c.ServerAddress, ServerPort: c.ServerPort, Status: c.Status,
		Start: momentOf(c.Start), FirstByte: momentOf(c.FirstByte), FirstToken: momentOf(c.FirstToken), End: momentOf(c.End),
		Overhead: c.Overhead, Chunks: chunks(c.Chunks),
		Ended: c.Ended, ErrorType: c.ErrorType, ErrorMessage: c.ErrorMessage,
		RequestBytes: c.RequestBytes, ResponseBytes: c.ResponseBytes, FinishReasons: c.FinishReasons,
		Usage: usageOf(c.Usage), UsageRaw: c.UsageRaw, UsageOf: c.UsageOf, Cost: cost(c.Cost),
		Attribution: attribution{
			Team: c.Attribution.Team, User: c.Attribution.User, Session: c.Attribution.Session, SessionSource: c.Attribution.SessionSource,
			Agent: c.Attribution.Agent, Tags: c.Attribution.Tags, Metadata: e.attrsOf(c.Attribution.Metadata), Key: c.Attribution.Key,
		},
		Place: place(c.Place), Content: c.Content, OmitInput: c.OmitInput, OmitOutput: c.OmitOutput,
		Retry: c.Retry, Attrs: e.attrsOf(c.Attrs), Problems: c.Problems, Run: runOf(c.Run),
	}
	for _, s := range c.Steps {
		e.facts.Steps = append(e.facts.Steps, step{s.Kind, s.Model, usageOf(s.Usage)})
	}
	out.Write(appendFacts(out.AvailableBuffer(), &e.facts))
	return nil
}
