package journal

import (
	"fmt"

	"github.com/spanwire/spanwire/llm"
)

// contentDropped marks a call whose content was there once (docs/telemetry.md).
const contentDropped = "spanwire.content.dropped"

// decodeCall returns the call of a record. Lists that were empty come back as nil.
// The call shares no memory with r.
func decodeCall(r record) (*llm.Call, error) {
	var f facts
	if err := decoding.Unmarshal(r.facts, &f); err != nil {
		return nil, fmt.Errorf("decode facts of record %d: %w", r.seq, err)
	}
	c := f.call()
	if r.stripped() {
		c.SetAttr(contentDropped, true)
		c.Problems = append(c.Problems, "journal: the content was dropped, because the journal was full")
		return c, nil
	}
	if len(r.content) == 0 {
		return c, nil
	}
	var said content
	if err := decoding.Unmarshal(r.content, &said); err != nil {
		return nil, fmt.Errorf("decode content of record %d: %w", r.seq, err)
	}
	c.System, c.OutputSchema = partsOf(said.System), said.OutputSchema
	c.Input, c.Output = messagesOf(said.Input), messagesOf(said.Output)
	giveParts(c.Run, said.Inferred)
	c.Tools = convert(said.Tools, func(t tool) llm.Tool { return llm.Tool(t) })
	return c, nil
}

func (f *facts) call() *llm.Call {
	return &llm.Call{
		ID: f.ID, Kind: f.Kind, Operation: f.Operation, Provider: f.Provider, Route: f.Route,
		RequestModel: f.RequestModel, ResponseModel: f.ResponseModel, ResponseID: f.ResponseID, Stream: f.Stream,
		Method: f.Method, Path: f.Path, ServerAddress: f.ServerAddress, ServerPort: f.ServerPort, Status: f.Status,
		Start: f.Start.time(), FirstByte: f.FirstByte.time(), FirstToken: f.FirstToken.time(), End: f.End.time(),
		Overhead: f.Overhead, Chunks: llm.Chunks(f.Chunks),
		Ended: f.Ended, ErrorType: f.ErrorType, ErrorMessage: f.ErrorMessage,
		RequestBytes: f.RequestBytes, ResponseBytes: f.ResponseBytes, FinishReasons: f.FinishReasons,
		Usage: f.Usage.llm(), UsageRaw: f.UsageRaw, UsageOf: f.UsageOf, Cost: llm.Cost(f.Cost),
		Steps: convert(f.Steps, func(s step) llm.Step { return llm.Step{Kind: s.Kind, Model: s.Model, Usage: s.Usage.llm()} }),
		Attribution: llm.Attribution{
			Team: f.Attribution.Team, User: f.Attribution.User, Session: f.Attribution.Session, SessionSource: f.Attribution.SessionSource,
			Agent: f.Attribution.Agent, Tags: f.Attribution.Tags, Metadata: convert(f.Attribution.Metadata, attr.llm), Key: f.Attribution.Key,
		},
		Place: llm.Place(f.Place), Content: f.Content, OmitInput: f.OmitInput, OmitOutput: f.OmitOutput,
		Retry: f.Retry, Attrs: convert(f.Attrs, attr.llm), Problems: f.Problems, Run: f.Run.llm(),
	}
}

// llm returns the attribute with a value of one of the kinds that it may have.
func (a attr) llm() llm.Attr {
	switch v := a.Value.(type) {
	case string, int64, float64, bool, nil:
		return llm.Attr{Key: a.Key, Value: v}
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				s = fmt.Sprint(item)
			}
			list[i] = s
		}
		return llm.Attr{Key: a.Key, Value: list}
	}
	return llm.Attr{Key: a.Key, Value: fmt.Sprint(a.Value)}
}

func partsOf(ps []part) []llm.Part {
	return convert(ps, func(p part) llm.Part { return llm.Part(p) })
}

func messagesOf(ms []message) []llm.Message {
	return convert(ms, func(m message) llm.Message {
		return llm.Message{Role: m.Role, Name: m.Name, Parts: partsOf(m.Parts), FinishReason: m.FinishReason}
	})
}

func convert[From, To any](from []From, f func(From) To) []To {
	if len(from) == 0 {
		return nil
	}
	to := make([]To, len(from))
	for i := range from {
		to[i] = f(from[i])
	}
	return to
}
