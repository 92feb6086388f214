package bedrock

import (
	"strings"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// cacheTTL tells the reader of the answer how long the cache was asked to live,
// where the answer does not say.
const cacheTTL = "aws.bedrock.request.cache_ttl"

// message reads a message of Converse.
func (q *request) message(val []byte) llm.Message {
	m := llm.Message{Role: jsonwalk.Str(jsonwalk.Member(val, "role"))}
	list := jsonwalk.Member(val, "content")
	if s := jsonwalk.Str(list); s != "" {
		m.Parts = []llm.Part{{Type: llm.PartText, Content: s}}
	}
	for e := jsonwalk.Array(list); e.Next(); {
		m.Parts = append(m.Parts, q.block(e.Val)...)
	}
	return m
}

// block reads one block of content: an object with one member, which is its type. A
// block of a kind that is not known keeps its kind and its size.
func (q *request) block(val []byte) []llm.Part {
	m := jsonwalk.Object(val)
	if !m.Next() {
		return nil
	}
	switch kind := string(m.Key); kind {
	case "cachePoint":
		q.cachePoint(m.Val)
		return nil
	case "toolResult":
		return q.toolResult(m.Val)
	default:
		p := readBlock(kind, m.Val)
		return []llm.Part{p}
	}
}

func (q *request) cachePoint(val []byte) {
	if ttl := jsonwalk.Str(jsonwalk.Member(val, "ttl")); ttl != "" {
		q.c.SetAttr(cacheTTL, jsonwalk.Clip(ttl, 16))
	}
}

// toolResult makes the one part that answers a tool call, and parts for what in it
// is no text.
func (q *request) toolResult(val []byte) []llm.Part {
	res := llm.Part{Type: llm.PartToolCallResponse, ID: jsonwalk.Str(jsonwalk.Member(val, "toolUseId"))}
	var texts []string
	var rest []llm.Part
	for e := jsonwalk.Array(jsonwalk.Member(val, "content")); e.Next(); {
		m := jsonwalk.Object(e.Val)
		if !m.Next() {
			continue
		}
		switch kind := string(m.Key); kind {
		case "text":
			texts = append(texts, jsonwalk.Str(m.Val))
		case "json":
			texts = append(texts, content.Compact(m.Val))
		case "toolResult": // there is none within another
		default:
			rest = append(rest, readBlock(kind, m.Val))
		}
	}
	res.Response = strings.Join(texts, "\n")
	return append([]llm.Part{res}, rest...)
}

// readBlock reads a block that holds no other.
func readBlock(kind string, val []byte) llm.Part {
	switch kind {
	case "text":
		return llm.Part{Type: llm.PartText, Content: jsonwalk.Str(val)}
	case "guardContent":
		if text := jsonwalk.Member(val, "text"); text != nil {
			return llm.Part{Type: llm.PartText, Content: jsonwalk.Str(jsonwalk.Member(text, "text"))}
		}
		return source(jsonwalk.Member(val, "image"), "image")
	case "reasoningContent":
		return llm.Part{Type: llm.PartReasoning, Content: jsonwalk.Str(jsonwalk.Member(jsonwalk.Member(val, "reasoningText"), "text"))}
	case "toolUse":
		return llm.Part{
			Type: llm.PartToolCall, ID: jsonwalk.Str(jsonwalk.Member(val, "toolUseId")), Name: jsonwalk.Str(jsonwalk.Member(val, "name")),
			Arguments: content.Compact(jsonwalk.Member(val, "input")),
		}
	case "image", "video", "audio", "document":
		return source(val, kind)
	case "citationsContent":
		p := llm.Part{Type: llm.PartText}
		for e := jsonwalk.Array(jsonwalk.Member(val, "content")); e.Next(); {
			p.Content += jsonwalk.Str(jsonwalk.Member(e.Val, "text"))
		}
		return p
	}
	return llm.Part{Type: jsonwalk.Clip(kind, 64), Size: int64(len(val))}
}

// source reads an image, video, sound or document: bytes, a place in S3, or text.
func source(val []byte, modality string) llm.Part {
	src := jsonwalk.Member(val, "source")
	name := jsonwalk.Str(jsonwalk.Member(val, "name"))
	if uri := jsonwalk.Member(jsonwalk.Member(src, "s3Location"), "uri"); uri != nil {
		return llm.Part{Type: llm.PartURI, Modality: modality, URI: content.CleanURI(jsonwalk.Str(uri)), Name: name}
	}
	raw := jsonwalk.Inner(jsonwalk.Member(src, "bytes"))
	if len(raw) == 0 {
		raw = jsonwalk.Inner(jsonwalk.Member(src, "text"))
	}
	mime := ""
	if f := jsonwalk.Str(jsonwalk.Member(val, "format")); f != "" && modality != "document" {
		mime = modality + "/" + f
	}
	p := content.Blob(raw, modality, mime)
	p.Name = name
	return p
}
