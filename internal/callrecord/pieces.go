package callrecord

import (
	"bytes"
	"fmt"

	"github.com/spanwire/spanwire/llm"
)

// Message appends one message.
func (e *Encoder) Message(out *bytes.Buffer, m *llm.Message) error {
	defer e.reset()
	out.Write(appendMessage(out.AvailableBuffer(), &message{m.Role, m.Name, e.partsOf(m.Parts), m.FinishReason}))
	return nil
}

// Parts appends a list of parts.
func (e *Encoder) Parts(out *bytes.Buffer, ps []llm.Part) error {
	defer e.reset()
	out.Write(appendParts(out.AvailableBuffer(), e.partsOf(ps)))
	return nil
}

// Tool appends one tool definition.
func (e *Encoder) Tool(out *bytes.Buffer, t *llm.Tool) error {
	v := tool(*t)
	out.Write(appendTool(out.AvailableBuffer(), &v))
	return nil
}

func marshal(out *bytes.Buffer, what string, v any) error {
	if err := encoding.MarshalToBuffer(v, out); err != nil {
		return fmt.Errorf("encode %s: %w", what, err)
	}
	return nil
}

// RawFlags appends what is said of raw bodies, without the bodies.
func (e *Encoder) RawFlags(out *bytes.Buffer, r llm.Raw) error {
	r.Request, r.Response = "", ""
	return marshal(out, "raw bodies", raw(r))
}

// DecodeRawFlags reads what [Encoder.RawFlags] wrote.
func DecodeRawFlags(b []byte) (llm.Raw, error) {
	var r raw
	if err := decoding.Unmarshal(b, &r); err != nil {
		return llm.Raw{}, fmt.Errorf("decode raw bodies: %w", err)
	}
	return llm.Raw(r), nil
}

// DecodeMessage reads what [Encoder.Message] wrote.
func DecodeMessage(b []byte) (llm.Message, error) {
	var m message
	if err := decoding.Unmarshal(b, &m); err != nil {
		return llm.Message{}, fmt.Errorf("decode message: %w", err)
	}
	return messagesOf([]message{m})[0], nil
}

// DecodeParts reads what [Encoder.Parts] wrote.
func DecodeParts(b []byte) ([]llm.Part, error) {
	var ps []part
	if err := decoding.Unmarshal(b, &ps); err != nil {
		return nil, fmt.Errorf("decode parts: %w", err)
	}
	return partsOf(ps), nil
}

// DecodeTool reads what [Encoder.Tool] wrote.
func DecodeTool(b []byte) (llm.Tool, error) {
	var t tool
	if err := decoding.Unmarshal(b, &t); err != nil {
		return llm.Tool{}, fmt.Errorf("decode tool: %w", err)
	}
	return llm.Tool(t), nil
}
