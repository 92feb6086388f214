package anthropic

import (
	"bytes"
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Types of parts beside those of llm.
const (
	partRedacted   = "redacted_thinking" // Size is that of what was encrypted
	partCompaction = "compaction"        // the summary that took the place of a history
	partFallback   = "fallback"          // another model took over: Name
	partCitation   = "citation"          // of the text before it: Name, URI and Content
	partUnknown    = "unknown"
)

// readContent reads content that is a text or a list of blocks.
func readContent(val []byte) (parts []llm.Part) {
	if s := jsonwalk.Str(val); s != "" {
		return []llm.Part{{Type: llm.PartText, Content: s}}
	}
	for e := jsonwalk.Array(val); e.Next(); {
		switch {
		case e.Val[0] == '"':
			parts = append(parts, llm.Part{Type: llm.PartText, Content: jsonwalk.Str(e.Val)})
		case jsonwalk.IsObject(e.Val):
			b := readBlock(e.Val)
			parts = b.appendTo(parts, false)
		}
	}
	return parts
}

// parts are what one block becomes: a part, and what goes with it.
type parts struct {
	main llm.Part
	more []llm.Part // citations of a text, images of a result
}

// appendTo leaves out what says nothing: a text without text, and a block that was
// cut off before it told what it is.
func (b *parts) appendTo(list []llm.Part, empty bool) []llm.Part {
	if b.main.Type != "" && (empty || b.main.Type != llm.PartText || b.main.Content != "") {
		list = append(list, b.main)
	}
	return append(list, b.more...)
}

// readBlock reads one content block of a request or an answer (wire reference,
// sections 7.1 and 7.2). A block of a kind that is not known keeps its kind and its
// size.
func readBlock(val []byte) (b parts) {
	kind := string(closed(jsonwalk.Member(val, "type")))
	if read := blockKinds[kind]; read != nil {
		read(&b, val)
		return b
	}
	switch text := jsonwalk.Member(val, "text"); {
	case strings.HasSuffix(kind, "_tool_result"):
		b.readResult(val, llm.PartServerToolCallResponse)
	case kind == "" && len(text) > 0:
		b.main = llm.Part{Type: llm.PartText, Content: jsonwalk.Str(text)}
	case kind != "":
		b.main = llm.Part{Type: jsonwalk.Clip(jsonwalk.Unescape([]byte(kind)), 64), Size: int64(len(val))}
	}
	return b
}

var blockKinds map[string]func(*parts, []byte)

func init() { // documents hold blocks, which the compiler takes for a loop
	blockKinds = map[string]func(*parts, []byte){
		"text": (*parts).readText,
		"thinking": func(b *parts, val []byte) {
			b.main = llm.Part{Type: llm.PartReasoning, Content: jsonwalk.Str(jsonwalk.Member(val, "thinking"))}
		},
		"redacted_thinking": func(b *parts, val []byte) {
			b.main = llm.Part{Type: partRedacted, Size: int64(len(jsonwalk.Inner(jsonwalk.Member(val, "data"))))}
		},
		"tool_use":         func(b *parts, val []byte) { b.readUse(val, llm.PartToolCall) },
		"server_tool_use":  func(b *parts, val []byte) { b.readUse(val, llm.PartServerToolCall) },
		"mcp_tool_use":     func(b *parts, val []byte) { b.readUse(val, llm.PartServerToolCall) },
		"tool_result":      func(b *parts, val []byte) { b.readResult(val, llm.PartToolCallResponse) },
		"image":            func(b *parts, val []byte) { b.readSource(val, "image") },
		"document":         func(b *parts, val []byte) { b.readSource(val, "document") },
		"search_result":    (*parts).readSearchResult,
		"container_upload": func(b *parts, val []byte) { b.main = filePart(val, "document") },
		"compaction": func(b *parts, val []byte) {
			b.main = llm.Part{Type: partCompaction, Content: joined(readContent(jsonwalk.Member(val, "content")))}
		},
		"fallback": func(b *parts, val []byte) {
			b.main = llm.Part{Type: partFallback, Name: jsonwalk.Str(jsonwalk.Member(jsonwalk.Member(val, "to"), "model"))}
		},
		"tool_addition": toolChange,
		"tool_removal":  toolChange,
	}
}

// toolChange reads what offers or takes away a tool in the middle of a conversation.
func toolChange(b *parts, val []byte) {
	b.main = llm.Part{
		Type: jsonwalk.Str(jsonwalk.Member(val, "type")),
		Name: jsonwalk.Str(jsonwalk.Member(jsonwalk.Member(val, "tool"), "name")),
	}
}

func (b *parts) readText(val []byte) {
	b.main = llm.Part{Type: llm.PartText, Content: jsonwalk.Str(jsonwalk.Member(val, "text"))}
	for e := jsonwalk.Array(jsonwalk.Member(val, "citations")); e.Next(); {
		b.cite(e.Val)
	}
}

// cite adds what a text is cited from: a search, a page, a place in a document.
func (b *parts) cite(val []byte) {
	if !jsonwalk.IsObject(val) {
		return
	}
	p := llm.Part{Type: partCitation}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "cited_text":
			p.Content = jsonwalk.Str(m.Val)
		case "title", "document_title":
			p.Name = jsonwalk.Str(m.Val)
		case "url", "source":
			p.URI = content.CleanURI(jsonwalk.Clip(jsonwalk.Str(m.Val), maxJSON))
		case "file_id":
			p.ID = jsonwalk.Str(m.Val)
		}
	}
	b.more = append(b.more, p)
}

// readUse reads the call of a tool, of the caller's or of the provider's.
func (b *parts) readUse(val []byte, kind string) {
	p := llm.Part{Type: kind}
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "id":
			p.ID = jsonwalk.Str(m.Val)
		case "name":
			p.Name = jsonwalk.Str(m.Val)
		case "input":
			p.Arguments = compact(m.Val)
		}
	}
	b.main = p
}

// readResult reads the result of a tool: the caller's, or one of the provider's.
func (b *parts) readResult(val []byte, kind string) {
	p := llm.Part{Type: kind}
	var body []byte
	for m := jsonwalk.Object(val); m.Next(); {
		switch string(m.Key) {
		case "tool_use_id":
			p.ID = jsonwalk.Str(m.Val)
		case "is_error":
			p.Failed = string(m.Val) == "true"
		case "content":
			body = m.Val
		}
	}
	if strings.HasSuffix(string(closed(jsonwalk.Member(body, "type"))), "_tool_result_error") {
		p.Failed = true
	}
	switch {
	case len(body) > 0 && body[0] == '"':
		p.Response = jsonwalk.Str(body)
	case blocksOnly(body):
		var texts []string
		for _, q := range readContent(body) {
			if q.Type == llm.PartText {
				texts = append(texts, q.Content)
			} else {
				b.more = append(b.more, q)
			}
		}
		p.Response = strings.Join(texts, "\n")
	case !jsonwalk.IsNull(body):
		p.Response = string(bare(nil, body, maxDepth))
	}
	b.main = p
}

// blocksOnly says whether a list holds what a user could have sent: texts, images,
// documents. The lists of the provider's own tools hold data.
func blocksOnly(list []byte) bool {
	if len(list) == 0 || list[0] != '[' {
		return false
	}
	for e := jsonwalk.Array(list); e.Next(); {
		switch string(closed(jsonwalk.Member(e.Val, "type"))) {
		case "text", "image", "document", "search_result":
		default:
			return false
		}
	}
	return true
}

// readSource reads an image or a document: its bytes, its address, its id, or the
// text that it consists of.
func (b *parts) readSource(val []byte, modality string) {
	src := jsonwalk.Member(val, "source")
	kind := closed(jsonwalk.Member(src, "type"))
	switch string(kind) {
	case "":
		return
	case "base64":
		b.main = content.Blob(jsonwalk.Inner(jsonwalk.Member(src, "data")), modality, jsonwalk.Str(jsonwalk.Member(src, "media_type")))
	case "url":
		b.main = content.Link(jsonwalk.Member(src, "url"), modality)
	case "file":
		b.main = filePart(src, modality)
	case "text":
		b.main = llm.Part{Type: llm.PartText, Modality: modality, MIMEType: jsonwalk.Str(jsonwalk.Member(src, "media_type")), Content: jsonwalk.Str(jsonwalk.Member(src, "data"))}
	case "content":
		b.readInner(jsonwalk.Member(src, "content"), modality)
	default:
		b.main = llm.Part{Type: partUnknown, Modality: modality, Size: int64(len(val))}
	}
	if title := jsonwalk.Str(jsonwalk.Member(val, "title")); title != "" {
		b.main.Name = title
	}
}

// readInner reads the blocks that a document is made of. A document in it would be
// against the rules: it is left out, so that nesting ends here.
func (b *parts) readInner(val []byte, modality string) {
	b.main = llm.Part{Type: llm.PartText, Modality: modality}
	if len(val) > 0 && val[0] == '"' {
		b.main.Content = jsonwalk.Str(val)
	}
	var texts []string
	for e := jsonwalk.Array(val); e.Next(); {
		switch string(closed(jsonwalk.Member(e.Val, "type"))) {
		case "text":
			texts = append(texts, jsonwalk.Str(jsonwalk.Member(e.Val, "text")))
		case "image":
			in := readBlock(e.Val)
			b.more = in.appendTo(b.more, false)
		}
	}
	if texts != nil {
		b.main.Content = strings.Join(texts, "\n")
	}
}

func (b *parts) readSearchResult(val []byte) {
	b.readInner(jsonwalk.Member(val, "content"), "document")
	b.main.Name = jsonwalk.Str(jsonwalk.Member(val, "title"))
	b.main.URI = content.CleanURI(jsonwalk.Clip(jsonwalk.Str(jsonwalk.Member(val, "source")), maxJSON))
}

func filePart(val []byte, modality string) llm.Part {
	return llm.Part{Type: llm.PartFile, ID: jsonwalk.Str(jsonwalk.Member(val, "file_id")), Modality: modality}
}

func joined(parts []llm.Part) string {
	var texts []string
	for _, p := range parts {
		if p.Type == llm.PartText {
			texts = append(texts, p.Content)
		}
	}
	return strings.Join(texts, "\n")
}

// maxDepth bounds the nesting that is walked; nothing real comes near it.
const maxDepth = 32

// bare appends a value without blanks and without what only the provider can read:
// encrypted members, and the bytes of files.
func bare(dst, val []byte, depth int) []byte {
	switch {
	case depth > 0 && len(val) > 0 && val[0] == '{':
		dst = append(dst, '{')
		base64 := string(jsonwalk.Member(val, "type")) == `"base64"`
		first := true
		for m := jsonwalk.Object(val); m.Next(); {
			if bytes.HasPrefix(m.Key, []byte("encrypted_")) || base64 && string(m.Key) == "data" {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(append(dst, '"'), m.Key...), '"', ':')
			dst = bare(dst, m.Val, depth-1)
		}
		return append(dst, '}')
	case depth > 0 && len(val) > 0 && val[0] == '[':
		dst = append(dst, '[')
		first := true
		for e := jsonwalk.Array(val); e.Next(); first = false {
			if !first {
				dst = append(dst, ',')
			}
			dst = bare(dst, e.Val, depth-1)
		}
		return append(dst, ']')
	case depth > 0:
		return append(dst, val...)
	}
	return append(dst, "null"...)
}

// closed returns the inside of a string that has its closing quote, for words that
// mean nothing when they are cut off.
func closed(val []byte) []byte {
	if len(val) == 0 || val[0] != '"' {
		return nil
	}
	if end, ok := jsonwalk.SkipString(val, 0); ok {
		return val[1 : end-1]
	}
	return nil
}

// compact returns a value without the blanks between its words, also when it was
// cut off.
func compact(val []byte) string {
	if jsonwalk.IsNull(val) {
		return ""
	}
	out := make([]byte, 0, len(val))
	for i := 0; i < len(val); {
		switch val[i] {
		case '"':
			end, _ := jsonwalk.SkipString(val, i)
			out = append(out, val[i:end]...)
			i = end
			continue
		case ' ', '\n', '\r', '\t':
		default:
			out = append(out, val[i])
		}
		i++
	}
	return string(out)
}
