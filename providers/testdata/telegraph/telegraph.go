// Package telegraph is a wire format that nobody speaks: the example of
// docs/adding-a-provider.md, and the proof that a format is a folder and a row.
//
// A question is {"station": "model", "words": "…"}; the answer is a line of JSON
// for each piece, {"said": "…"}, and a last one, {"stop": "end", "no": "id",
// "station": "model", "tariff": {"heard": 3, "sent": 5}}. An error is {"fault": "…"}.
package telegraph

import (
	"encoding/json"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/internal/draft"
	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// Dialect is the wire format. It has no state: one value serves all goroutines.
type Dialect struct{}

var parameters = params.Table{"urgency": {Key: "telegraph.request.urgency", Form: params.Double}}

// ReadRequest reads what was asked.
func (Dialect) ReadRequest(c *llm.Call, x *llm.Exchange) error {
	c.Kind, c.Operation, c.Stream = llm.KindLLM, "chat", true
	body, _ := intake.Request(c, x)
	for m := jsonwalk.Object(body); m.Next(); {
		switch string(m.Key) {
		case "station":
			c.RequestModel = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
		case "words":
			c.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: jsonwalk.Str(m.Val)}}}}
		default:
			parameters.Set(c, m.Key, m.Val)
		}
	}
	return nil
}

// Reader reads one response while it passes.
type Reader struct {
	body   *intake.Body
	answer draft.Answer
	id     string
	model  string
	tariff []byte
	fault  *apierror.Error
}

// NewReader returns the reader of the response of x, whose head is there.
func (Dialect) NewReader(x *llm.Exchange) *Reader {
	r := &Reader{}
	r.body = intake.New(x, intake.Lines, intake.Handler{Line: r.line})
	return r
}

// Wrote takes the next piece of the body. p is not kept.
func (r *Reader) Wrote(p []byte, at time.Time) { r.body.Wrote(p, at) }

func (r *Reader) line(line []byte, at time.Time) {
	for m := jsonwalk.Object(line); m.Next(); {
		switch string(m.Key) {
		case "said":
			if r.answer.Choice(0).Add(llm.PartText, 0, m.Val) {
				r.answer.Piece(at)
			}
		case "stop":
			r.answer.Choice(0).Finish(m.Val)
		case "no":
			r.id = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
		case "station":
			r.model = jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText)
		case "tariff":
			if jsonwalk.IsObject(m.Val) && len(m.Val) <= 4<<10 {
				r.tariff = append(r.tariff[:0], m.Val...)
			}
		case "fault":
			r.fault = &apierror.Error{Code: "fault", Message: apierror.Scrub(jsonwalk.Clip(jsonwalk.Str(m.Val), params.MaxText))}
		}
	}
}

// Finish writes what was read into c.
func (r *Reader) Finish(c *llm.Call, x *llm.Exchange) error {
	c.Problems = append(c.Problems, r.body.Finish(x)...)
	document, _, _ := r.body.Whole()
	r.line(document, x.End) // one object alone is no stream
	c.ErrorType, c.ErrorMessage = apierror.Settle(x.Status, r.fault, document)
	if x.Status >= 400 {
		return nil
	}
	c.ResponseID, c.ResponseModel, c.UsageRaw = r.id, r.model, string(r.tariff)
	for name, kind := range map[string]llm.UsageKind{"heard": llm.UncachedInput, "sent": llm.OutputText} {
		if n, ok := params.Count(jsonwalk.Member(r.tariff, name)); ok {
			c.Usage.Set(kind, n)
			c.Usage.Source = llm.UsageReported
		}
	}
	r.answer.FillRhythm(c)
	r.answer.Fill(c, map[string]string{"end": "stop"}, x.Ended != llm.EndComplete || r.fault != nil)
	return nil
}

// ErrorBody returns the JSON of an error that the proxy makes itself.
func (Dialect) ErrorBody(_ int, _, message string) []byte {
	b, err := json.Marshal(map[string]string{"fault": message})
	if err != nil {
		panic("BUG: error body: " + err.Error()) // a text alone
	}
	return b
}
