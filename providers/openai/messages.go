package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// readMessages brings messages into the neutral form (telemetry reference,
// section 3). The list may have been cut off.
func readMessages(list []byte) (ms []llm.Message) {
	for e := array(list); e.next(); {
		if isObject(e.val) {
			ms = append(ms, readMessage(e.val))
		}
	}
	return ms
}

func readMessage(val []byte) llm.Message {
	var msg llm.Message
	var content, calls, function, callID, reasoning, refusal []byte
	for m := object(val); m.next(); {
		switch string(m.key) {
		case "role":
			msg.Role = str(m.val)
		case "name":
			msg.Name = str(m.val)
		case "content":
			content = m.val
		case "tool_calls":
			calls = m.val
		case "function_call":
			function = m.val
		case "tool_call_id":
			callID = m.val
		case "reasoning_content":
			reasoning = m.val
		case "reasoning":
			if len(reasoning) == 0 {
				reasoning = m.val
			}
		case "refusal":
			refusal = m.val
		}
	}
	if msg.Role == "tool" || msg.Role == "function" {
		msg.Parts = toolResult(content, str(callID), msg.Name)
		return msg
	}
	if s := str(reasoning); s != "" {
		msg.Parts = append(msg.Parts, llm.Part{Type: llm.PartReasoning, Content: s})
	}
	msg.Parts = append(msg.Parts, readContent(content)...)
	if s := str(refusal); s != "" {
		msg.Parts = append(msg.Parts, llm.Part{Type: llm.PartRefusal, Content: s})
	}
	for e := array(calls); e.next(); {
		if isObject(e.val) {
			msg.Parts = append(msg.Parts, readCallPart(e.val))
		}
	}
	if isObject(function) {
		var p callPiece
		if p.readFunction(function); len(p.name) > 0 {
			msg.Parts = append(msg.Parts, p.part())
		}
	}
	return msg
}

func readCallPart(val []byte) llm.Part {
	var p callPiece
	p.read(val)
	return p.part()
}

func (p *callPiece) part() llm.Part {
	part := llm.Part{Type: llm.PartToolCall, ID: unescape(p.id), Name: unescape(p.name)}
	if len(p.args) > 0 && p.args[0] == '"' {
		part.Arguments = str(p.args)
	} else if !isNull(p.args) {
		part.Arguments = string(p.args)
	}
	return part
}

// toolResult makes the one part that answers a tool call, and parts for what in
// it is no text.
func toolResult(content []byte, id, name string) []llm.Part {
	res := llm.Part{Type: llm.PartToolCallResponse, ID: id, Name: name}
	var rest []llm.Part
	if len(content) > 0 && content[0] == '[' {
		var texts []string
		for _, p := range readContent(content) {
			if p.Type == llm.PartText {
				texts = append(texts, p.Content)
			} else {
				rest = append(rest, p)
			}
		}
		res.Response = strings.Join(texts, "\n")
	} else if isObject(content) {
		res.Response = string(content)
	} else {
		res.Response = str(content)
	}
	return append([]llm.Part{res}, rest...)
}

// readContent reads content that is a text or a list of parts.
func readContent(val []byte) (parts []llm.Part) {
	if s := str(val); s != "" {
		return []llm.Part{{Type: llm.PartText, Content: s}}
	}
	for e := array(val); e.next(); {
		if e.val[0] == '"' {
			parts = append(parts, llm.Part{Type: llm.PartText, Content: str(e.val)})
		} else if isObject(e.val) {
			parts = append(parts, readPart(e.val))
		}
	}
	return parts
}

// readPart reads one part of a list. A part of a kind that is not known keeps its
// kind and its size.
func readPart(val []byte) llm.Part {
	kind := str(member(val, "type"))
	switch kind {
	case "text", "input_text", "output_text":
		return llm.Part{Type: llm.PartText, Content: str(member(val, "text"))}
	case "refusal":
		return llm.Part{Type: llm.PartRefusal, Content: str(member(val, "refusal"))}
	case "thinking", "reasoning":
		return thinkingPart(val)
	case "image_url", "input_image", "video_url", "audio_url":
		modality, _, _ := strings.Cut(strings.TrimPrefix(kind, "input_"), "_")
		url := member(val, kind)
		if kind == "input_image" {
			url = member(val, "image_url")
		}
		if isObject(url) {
			url = member(url, "url")
		}
		return linkPart(url, modality)
	case "input_audio":
		audio := member(val, "input_audio")
		p := blobPart(inner(member(audio, "data")), "audio", "")
		if f := str(member(audio, "format")); f != "" {
			p.MIMEType = "audio/" + f
		}
		return p
	case "file", "input_file":
		return filePart(val)
	}
	if kind == "" && len(member(val, "text")) > 0 {
		return llm.Part{Type: llm.PartText, Content: str(member(val, "text"))}
	}
	if kind == "" {
		kind = "unknown"
	}
	return llm.Part{Type: clip(kind, 64), Size: int64(len(val))}
}

// thinkingPart reads reasoning that is sent back: a text or a list of text parts.
func thinkingPart(val []byte) llm.Part {
	body := member(val, "thinking")
	if body == nil {
		body = member(val, "text")
	}
	p := llm.Part{Type: llm.PartReasoning, Content: str(body)}
	for e := array(body); e.next(); {
		p.Content += str(member(e.val, "text"))
	}
	return p
}

func filePart(val []byte) llm.Part {
	file := member(val, "file")
	if !isObject(file) {
		file = val
	}
	if data := member(file, "file_data"); len(data) > 2 {
		p := linkPart(data, "document")
		p.Name = str(member(file, "filename"))
		return p
	}
	return llm.Part{Type: llm.PartFile, ID: str(member(file, "file_id")), Name: str(member(file, "filename")), Modality: "document"}
}

// linkPart makes a part of a URL: data in it becomes a blob, of which size and
// digest are kept.
func linkPart(val []byte, modality string) llm.Part {
	raw := inner(val)
	if rest, ok := strings.CutPrefix(string(raw[:min(len(raw), 256)]), "data:"); ok {
		head, _, ok := strings.Cut(rest, ",")
		if !ok {
			return blobPart(raw, modality, "")
		}
		mime, _, _ := strings.Cut(head, ";")
		return blobPart(raw[len("data:")+len(head)+1:], modality, unescapeSlashes(mime))
	}
	if len(raw) > maxLink || modality == "document" && !strings.Contains(string(raw[:min(len(raw), 16)]), "://") {
		return blobPart(raw, modality, "") // base64 without the data: frame
	}
	return llm.Part{Type: llm.PartURI, Modality: modality, URI: cleanURI(unescape(raw))}
}

// maxLink is how long a URL may be; what is longer is data.
const maxLink = 4096

func unescapeSlashes(s string) string { return strings.ReplaceAll(s, `\/`, "/") }

// blobPart keeps size and digest of bytes in a message, as they were sent.
func blobPart(raw []byte, modality, mime string) llm.Part {
	p := llm.Part{Type: llm.PartBlob, Modality: modality, MIMEType: clip(mime, 128), Size: int64(len(raw))}
	sum := sha256.Sum256(raw)
	p.SHA256 = hex.EncodeToString(sum[:])
	return p
}

// cleanURI takes credentials out of a URL: user and password, and every query
// parameter that signs or authorises (wire reference, section 15.3).
func cleanURI(uri string) string {
	rest, query, hasQuery := strings.Cut(uri, "?")
	if scheme, tail, ok := strings.Cut(rest, "://"); ok {
		host, path, slash := strings.Cut(tail, "/")
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			if rest = scheme + "://" + host[i+1:]; slash {
				rest += "/" + path
			}
		}
	}
	if !hasQuery {
		return rest
	}
	var keep []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if !secretParam(name) {
			keep = append(keep, pair)
		}
	}
	if len(keep) == 0 {
		return rest
	}
	return rest + "?" + strings.Join(keep, "&")
}

// secretParam says whether a query parameter signs a URL or authorises: those of
// S3, Google, Azure and CloudFront, and the plain names.
func secretParam(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"x-amz-", "x-goog-", "x-ms-", "x-oss-", "x-cos-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "sig", "signature", "se", "st", "sp", "sv", "sr", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv", "rscd",
		"policy", "key-pair-id", "expires", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid",
		"token", "access_token", "id_token", "auth", "authorization", "key", "api_key", "apikey", "api-key", "secret", "password", "sign", "hmac", "jwt":
		return true
	}
	return strings.Contains(name, "%")
}
