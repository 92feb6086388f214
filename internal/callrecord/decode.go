package callrecord

import (
	"fmt"

	"github.com/spanwire/spanwire/llm"
)

// DecodeFacts returns the call whose facts b holds. Lists that were empty come back
// as nil. The call shares no memory with b.
func DecodeFacts(b []byte) (*llm.Call, error) {
	var f Facts
	if err := decoding.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("decode facts of a call: %w", err)
	}
	return f.call(), nil
}

// DecodeSaid gives a call back what was said in it.
func DecodeSaid(b []byte, c *llm.Call) error {
	var said Said
	if err := decoding.Unmarshal(b, &said); err != nil {
		return fmt.Errorf("decode content of call %s: %w", c.ID, err)
	}
	c.System, c.OutputSchema = partsOf(said.System), said.OutputSchema
	c.Input, c.Output = messagesOf(said.Input), messagesOf(said.Output)
	giveParts(c.Run, said.Inferred)
	if said.Raw != nil {
		r := llm.Raw(*said.Raw)
		c.Raw = &r
	}
	c.Tools = convert(said.Tools, func(t tool) llm.Tool { return llm.Tool(t) })
	return nil
}

func (f *Facts) call() *llm.Call {
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
