package llm

// Message is one message of a prompt or an answer in the neutral form of the
// OpenTelemetry GenAI conventions v1.41 (input and output messages).
type Message struct {
	Role         string // system, developer, user, assistant, tool, or the provider's own
	Name         string
	Parts        []Part
	FinishReason string // output only: stop, length, content_filter, tool_call, error, or the provider's own
}

// Types of parts.
const (
	PartText             = "text"
	PartReasoning        = "reasoning"
	PartRefusal          = "refusal"
	PartToolCall         = "tool_call"
	PartToolCallResponse = "tool_call_response"
	// Of tools that the provider runs itself, within the answer: nobody else is to act.
	PartServerToolCall         = "server_tool_call"
	PartServerToolCallResponse = "server_tool_call_response"
	PartBlob                   = "blob" // bytes in the message, as base64
	PartURI                    = "uri"
	PartFile                   = "file" // named by id
)

// Part is one piece of a message. Which fields are set depends on Type.
type Part struct {
	Type string
	// Content is the text of text, reasoning and refusal, and the base64 of a
	// blob. Blobs are cut to nothing by default; Size keeps their length.
	Content string
	ID      string // id of a tool call, and in its response; id of a file
	Name    string // tool name
	// Arguments is a tool call's arguments as the sender wrote them: JSON text
	// for most, but not guaranteed to be valid (it is what a model produced).
	Arguments string
	Response  string // tool call response: text, or JSON text
	Failed    bool   // tool call response: the tool says that it failed
	Item      string // id of the item that this is (a part) of, where that is not ID (Responses: fc_…)
	Modality  string // image, audio, video, document
	MIMEType  string
	URI       string // without signature or data
	// Size is the length in bytes of what the part held as sent; SHA256 the
	// lower-case hex digest of it. Both are set where the content was left out.
	Size   int64
	SHA256 string
	// Width and Height are those of an image in pixels; 0 when not known.
	Width, Height int
	// Detail is how closely an image is to be looked at, in the sender's word: "low",
	// "high", "auto"; "" when not told.
	Detail string
}

// Tool is a tool definition offered to the model.
type Tool struct {
	Type        string // function, or the provider's name of a hosted tool
	Name        string
	Description string
	Parameters  string // JSON Schema text; "" when none
}
