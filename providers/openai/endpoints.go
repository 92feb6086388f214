package openai

import "strings"

// endpoint is what a request means.
type endpoint uint8

const (
	other endpoint = iota // relayed; usage is read by shape
	chat
	completions
	embeddings

	// The Responses API.
	responses // makes a response
	told      // tells a response again, or cancels it
	counting  // counts tokens: no use of a model

	// Endpoints whose answer is one object, or a stream that ends in one.
	images
	speech
	transcription
	moderation
	ocr
	batch
	run     // of an assistant
	runTold // a run once more
)

// endpoints maps the end of a path to what it means (wire reference, section 2). A
// * is any one segment, or the beginning of one. The first that fits counts: chat/completions ends in
// completions too.
var endpoints = []struct {
	method, path string
	endpoint     endpoint
	operation    string // telemetry reference, section 1.1; "" where no model works
}{
	{"POST", "chat/completions", chat, "chat"},
	{"POST", "v1/chat", chat, "chat"},                          // Writer
	{"POST", "agents/completions", chat, "chat"},               // Mistral
	{"POST", "publishers/*/models/*:rawPredict", chat, "chat"}, // on Vertex: Mistral, AI21
	{"POST", "publishers/*/models/*:streamRawPredict", chat, "chat"},
	{"GET", "chat/deferred-completion/*", chat, "chat"}, // xAI
	{"GET", "async/chat/completions/*", chat, "chat"},   // Perplexity
	{"POST", "completions", completions, "text_completion"},
	{"POST", "embeddings", embeddings, "embeddings"},
	{"POST", "*embeddings", embeddings, "embeddings"},  // of Voyage: multimodalembeddings, contextualizedembeddings
	{"POST", "multi-vector", embeddings, "embeddings"}, // Jina

	{"POST", "responses", responses, "chat"},
	{"POST", "responses/compact", responses, "compaction"},
	{"POST", "responses/input_tokens", counting, ""},
	{"POST", "responses/*/cancel", told, "fetch_response"},
	{"GET", "responses/*", told, "fetch_response"},

	{"POST", "images/generations", images, "image_generation"},
	{"POST", "images/edits", images, "image_generation"},
	{"POST", "images/variations", images, "image_generation"},
	{"POST", "audio/speech", speech, "speech"},
	{"POST", "audio/transcriptions", transcription, "transcription"},
	{"POST", "audio/translations", transcription, "transcription"},
	{"POST", "moderations", moderation, "moderation"},
	{"POST", "ocr", ocr, "ocr"},

	{"POST", "batches", batch, ""},
	{"GET", "batches/*", batch, ""},
	{"POST", "batches/*/cancel", batch, ""},

	{"POST", "threads/runs", run, "invoke_agent"},
	{"POST", "threads/*/runs", run, "invoke_agent"},
	{"POST", "threads/*/runs/*/submit_tool_outputs", run, "invoke_agent"},
	{"POST", "threads/*/runs/*/cancel", runTold, "fetch_response"},
	{"GET", "threads/*/runs/*", runTold, "fetch_response"},
}

// find returns what a request is for.
func find(method, target string) (endpoint, string) {
	if method != "POST" && method != "GET" {
		return other, ""
	}
	path := strings.TrimSuffix(pathOf(target), "/")
	for i := range endpoints {
		if e := &endpoints[i]; e.method == method && endsIn(path, e.path) {
			return e.endpoint, e.operation
		}
	}
	return other, ""
}

// endsIn says whether a path ends in these segments.
func endsIn(path, pattern string) bool {
	for {
		want := pattern[strings.LastIndexByte(pattern, '/')+1:]
		at := strings.LastIndexByte(path, '/')
		if at < 0 {
			return false
		}
		if got := path[at+1:]; got != want && (want[0] != '*' || len(got) < len(want) || !strings.HasSuffix(got, want[1:])) {
			return false
		}
		if len(want) == len(pattern) {
			return true
		}
		path, pattern = path[:at], pattern[:len(pattern)-len(want)-1]
	}
}
