package clients

import (
	"context"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// goResponses drives the official SDK in this process.
func goResponses(ctx context.Context, proxy *running, feature string) (facts, error) {
	c := openai.NewClient(option.WithBaseURL(proxy.url+"/v1"), option.WithAPIKey(apiKey))
	run, ok := goResponsesFeatures[feature]
	if !ok {
		return facts{}, fmt.Errorf("the Go client has no feature %s", feature)
	}
	f, err := run(ctx, c)
	f.SDK = "openai-go " + goVersion("github.com/openai/openai-go/")
	return f, err
}

func responseParams() responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model:        gpt,
		Input:        responses.ResponseNewParamsInputUnion{OfString: param.NewOpt(ask)},
		Instructions: param.NewOpt(terse),
	}
}

var goResponsesFeatures = map[string]func(context.Context, openai.Client) (facts, error){
	"plain": func(ctx context.Context, c openai.Client) (facts, error) {
		p := responseParams()
		p.Temperature, p.MaxOutputTokens = param.NewOpt(0.5), param.NewOpt[int64](200)
		return responseWhole(c.Responses.New(ctx, p))
	},
	"stream": func(ctx context.Context, c openai.Client) (facts, error) {
		f, _, err := responseStream(ctx, c, responseParams())
		return f, err
	},
	"tools": func(ctx context.Context, c openai.Client) (facts, error) {
		return responseWithTools(func(p responses.ResponseNewParams) (facts, responses.Response, error) {
			r, err := c.Responses.New(ctx, p)
			f, err := responseWhole(r, err)
			if err != nil {
				return f, responses.Response{}, err
			}
			return f, *r, nil
		})
	},
	"tools_stream": func(ctx context.Context, c openai.Client) (facts, error) {
		return responseWithTools(func(p responses.ResponseNewParams) (facts, responses.Response, error) {
			return responseStream(ctx, c, p)
		})
	},
	"structured": func(ctx context.Context, c openai.Client) (facts, error) {
		p := responseParams()
		p.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("city", citySchema)
		f, err := responseWhole(c.Responses.New(ctx, p))
		f.Parsed = isCity(f.Text)
		return f, err
	},
	"reasoning": func(ctx context.Context, c openai.Client) (facts, error) {
		p := responseParams()
		p.Model = gptThinks
		p.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortLow, Summary: shared.ReasoningSummaryAuto}
		return responseWhole(c.Responses.New(ctx, p))
	},
	"previous": func(ctx context.Context, c openai.Client) (facts, error) {
		first, err := responseWhole(c.Responses.New(ctx, responseParams()))
		if err != nil {
			return first, err
		}
		p := responseParams()
		p.Input.OfString = param.NewOpt("And again")
		p.PreviousResponseID = param.NewOpt(first.IDs[0])
		last, err := responseWhole(c.Responses.New(ctx, p))
		last.IDs = append(first.IDs, last.IDs...)
		return last, err
	},
	"background": func(ctx context.Context, c openai.Client) (facts, error) {
		p := responseParams()
		p.Background = param.NewOpt(true)
		r, err := c.Responses.New(ctx, p)
		for err == nil && (r.Status == responses.ResponseStatusQueued || r.Status == responses.ResponseStatusInProgress) {
			r, err = c.Responses.Get(ctx, r.ID, responses.ResponseGetParams{})
		}
		if err != nil {
			return facts{}, err
		}
		return responseWhole(c.Responses.Get(ctx, r.ID, responses.ResponseGetParams{}))
	},
	"conversation": func(ctx context.Context, c openai.Client) (facts, error) {
		p := responseParams()
		p.Conversation.OfString = param.NewOpt("conv_4711")
		return responseWhole(c.Responses.New(ctx, p))
	},
	"count_tokens": func(ctx context.Context, c openai.Client) (facts, error) {
		r, err := c.Responses.InputTokens.Count(ctx, responses.InputTokenCountParams{
			Model: param.NewOpt(gpt), Input: responses.InputTokenCountParamsInputUnion{OfString: param.NewOpt(ask)},
		})
		if err != nil {
			return facts{}, err
		}
		return facts{Count: r.InputTokens}, nil
	},
	"not_found": func(ctx context.Context, c openai.Client) (facts, error) {
		p := responseParams()
		p.Model = "gpt-none"
		_, err := c.Responses.New(ctx, p)
		if e, ok := errors.AsType[*openai.Error](err); ok {
			return facts{Status: e.StatusCode, Error: fmt.Sprintf("%T", e), Code: e.Code}, nil
		}
		return facts{}, err
	},
	"stream_failed": func(ctx context.Context, c openai.Client) (facts, error) {
		f, r, err := responseStream(ctx, c, responseParams())
		return facts{Text: f.Text, Code: string(r.Error.Code)}, err
	},
	"cut": func(ctx context.Context, c openai.Client) (facts, error) {
		f, _, err := responseStream(ctx, c, responseParams())
		f = facts{Text: f.Text}
		if err != nil {
			f.Error = fmt.Sprintf("%T", err)
		}
		return f, nil
	},
	"websocket": responseSocket,
	"realtime":  realtimeSocket,
}

func responseWhole(r *responses.Response, err error) (facts, error) {
	if err != nil {
		return facts{}, err
	}
	f := facts{IDs: []string{r.ID}, Model: r.Model, Text: r.OutputText(), Finish: string(r.Status)}
	if r.JSON.Usage.Valid() {
		f.Usage = &tokens{r.Usage.InputTokens, r.Usage.OutputTokens}
	}
	for _, item := range r.Output {
		switch one := item.AsAny().(type) {
		case responses.ResponseReasoningItem:
			for _, s := range one.Summary {
				f.Thinking += s.Text
			}
		case responses.ResponseFunctionToolCall:
			f.Tools = append(f.Tools, toolCall{one.CallID, one.Name, one.Arguments})
		}
	}
	return f, nil
}

// hear adds one event of a response, and returns the response that a last event has.
func (f *facts) hear(kind, delta string, r responses.Response) *responses.Response {
	f.Chunks++
	switch kind {
	case "response.output_text.delta":
		f.Text += delta
	case "response.completed", "response.failed":
		text, chunks := f.Text, f.Chunks
		*f, _ = responseWhole(&r, nil)
		f.Text, f.Chunks = text, chunks
		return &r
	}
	return nil
}

func responseStream(ctx context.Context, c openai.Client, p responses.ResponseNewParams) (facts, responses.Response, error) {
	var f facts
	var last responses.Response
	s := c.Responses.NewStreaming(ctx, p)
	defer s.Close()
	for s.Next() {
		e := s.Current()
		if r := f.hear(e.Type, e.Delta, e.Response); r != nil {
			last = *r
		}
	}
	return f, last, s.Err()
}

// responseWithTools plays an application that runs the tools which the model asks for.
func responseWithTools(complete func(responses.ResponseNewParams) (facts, responses.Response, error)) (facts, error) {
	p := responseParams()
	p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("get_weather", weatherSchema, false)}
	talk := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(ask, responses.EasyInputMessageRoleUser)}
	p.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: talk}
	first, _, err := complete(p)
	if err != nil {
		return first, err
	}
	for _, call := range first.Tools {
		talk = append(talk,
			responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.ID, call.Name),
			responses.ResponseInputItemUnionParam{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{
				CallID: param.NewOpt(call.ID),
				Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: param.NewOpt(weather)},
			}})
	}
	p.Input.OfInputItemList = talk
	last, _, err := complete(p)
	last.IDs = append(first.IDs, last.IDs...)
	last.Tools = first.Tools
	return last, err
}
