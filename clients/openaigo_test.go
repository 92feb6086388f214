package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const model = "gpt-4o-mini" // one whose answers name a dated snapshot

// goOpenAI drives the official SDK in this process.
func goOpenAI(ctx context.Context, proxy *running, feature string) (facts, error) {
	c := openai.NewClient(option.WithBaseURL(proxy.url+"/v1"), option.WithAPIKey(apiKey))
	run, ok := goOpenAIFeatures[feature]
	if !ok {
		return facts{}, fmt.Errorf("the Go client has no feature %s", feature)
	}
	f, err := run(ctx, c)
	f.SDK = "openai-go " + goVersion("github.com/openai/openai-go/")
	return f, err
}

var goOpenAIFeatures = map[string]func(context.Context, openai.Client) (facts, error){
	"chat": func(ctx context.Context, c openai.Client) (facts, error) {
		p := params()
		p.Temperature, p.MaxTokens = openai.Float(0.5), openai.Int(200)
		return whole(c.Chat.Completions.New(ctx, p))
	},
	"stream": func(ctx context.Context, c openai.Client) (facts, error) {
		f, _, err := joined(ctx, c, params())
		return f, err
	},
	"stream_usage": func(ctx context.Context, c openai.Client) (facts, error) {
		p := params()
		p.StreamOptions.IncludeUsage = openai.Bool(true)
		f, _, err := joined(ctx, c, p)
		return f, err
	},
	"tools": func(ctx context.Context, c openai.Client) (facts, error) {
		return withTools(func(p openai.ChatCompletionNewParams) (facts, openai.ChatCompletionMessage, error) {
			r, err := c.Chat.Completions.New(ctx, p)
			f, err := whole(r, err)
			if err != nil {
				return f, openai.ChatCompletionMessage{}, err
			}
			return f, r.Choices[0].Message, nil
		})
	},
	"tools_stream": func(ctx context.Context, c openai.Client) (facts, error) {
		return withTools(func(p openai.ChatCompletionNewParams) (facts, openai.ChatCompletionMessage, error) {
			f, r, err := joined(ctx, c, p)
			if err != nil {
				return f, openai.ChatCompletionMessage{}, err
			}
			return f, r.Choices[0].Message, nil
		})
	},
	"structured": structured,
	"completion": func(ctx context.Context, c openai.Client) (facts, error) {
		r, err := c.Completions.New(ctx, openai.CompletionNewParams{
			Model:  openai.CompletionNewParamsModelGPT3_5TurboInstruct,
			Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Once upon a time")},
		})
		if err != nil {
			return facts{}, err
		}
		return facts{
			IDs: []string{r.ID}, Model: r.Model, Text: r.Choices[0].Text, Finish: string(r.Choices[0].FinishReason),
			Usage: &tokens{r.Usage.PromptTokens, r.Usage.CompletionTokens},
		}, nil
	},
	"embeddings": func(ctx context.Context, c openai.Client) (facts, error) {
		r, err := c.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: openai.EmbeddingModelTextEmbedding3Small,
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
		})
		if err != nil {
			return facts{}, err
		}
		f := facts{Model: r.Model, Usage: &tokens{Input: r.Usage.PromptTokens}}
		for _, d := range r.Data {
			f.Dimensions = append(f.Dimensions, len(d.Embedding))
		}
		return f, nil
	},
	"models": func(ctx context.Context, c openai.Client) (facts, error) {
		page, err := c.Models.List(ctx)
		if err != nil {
			return facts{}, err
		}
		var ids []string
		for _, m := range page.Data {
			ids = append(ids, m.ID)
		}
		return facts{Text: strings.Join(ids, ",")}, nil
	},
	"not_found":    failing("fake-err-404"),
	"rate_limited": failing("fake-err-429"),
	"retried": func(ctx context.Context, c openai.Client) (facts, error) {
		p := params()
		p.Model = "fake-retry-429"
		return whole(c.Chat.Completions.New(ctx, p))
	},
	"cut": func(ctx context.Context, c openai.Client) (facts, error) {
		p := params()
		p.Model = "fake-cut"
		f, _, err := joined(ctx, c, p)
		if err != nil {
			f.Error = fmt.Sprintf("%T", err)
		}
		return f, nil
	},
	"hang_up":  hangUp,
	"parallel": parallel,
}

func params() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(terse), openai.UserMessage(ask)},
	}
}

func whole(r *openai.ChatCompletion, err error) (facts, error) {
	if err != nil {
		return facts{}, err
	}
	return facts{
		IDs: []string{r.ID}, Model: r.Model, Text: r.Choices[0].Message.Content, Finish: r.Choices[0].FinishReason,
		Usage: &tokens{r.Usage.PromptTokens, r.Usage.CompletionTokens},
	}, nil
}

func joined(ctx context.Context, c openai.Client, p openai.ChatCompletionNewParams) (facts, openai.ChatCompletion, error) {
	var f facts
	var acc openai.ChatCompletionAccumulator
	s := c.Chat.Completions.NewStreaming(ctx, p)
	defer s.Close()
	for s.Next() {
		chunk := s.Current()
		acc.AddChunk(chunk)
		f.Chunks++
		if chunk.JSON.Usage.Valid() {
			f.Usage = &tokens{chunk.Usage.PromptTokens, chunk.Usage.CompletionTokens}
		}
	}
	f.IDs, f.Model = []string{acc.ID}, acc.Model
	if len(acc.Choices) > 0 {
		f.Text, f.Finish = acc.Choices[0].Message.Content, acc.Choices[0].FinishReason
	}
	return f, acc.ChatCompletion, s.Err()
}

// withTools plays an application that runs the tools which the model asks for.
func withTools(complete func(openai.ChatCompletionNewParams) (facts, openai.ChatCompletionMessage, error)) (facts, error) {
	p := params()
	p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name:        "get_weather",
		Description: openai.String("Current weather of a city."),
		Parameters:  weatherSchema,
	})}
	first, message, err := complete(p)
	if err != nil {
		return first, err
	}
	var calls []toolCall
	p.Messages = append(p.Messages, message.ToParam())
	for _, call := range message.ToolCalls {
		calls = append(calls, toolCall{call.ID, call.Function.Name, call.Function.Arguments})
		p.Messages = append(p.Messages, openai.ToolMessage(weather, call.ID))
	}
	last, _, err := complete(p)
	last.IDs = slices.Concat(first.IDs, last.IDs)
	last.Tools = calls
	return last, err
}

func structured(ctx context.Context, c openai.Client) (facts, error) {
	p := params()
	p.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{
		JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{
			Name:   "city",
			Strict: openai.Bool(true),
			Schema: citySchema,
		},
	}
	f, err := whole(c.Chat.Completions.New(ctx, p))
	f.Parsed = isCity(f.Text)
	return f, err
}

func failing(name string) func(context.Context, openai.Client) (facts, error) {
	return func(ctx context.Context, c openai.Client) (facts, error) {
		p := params()
		p.Model = name
		_, err := c.Chat.Completions.New(ctx, p)
		if e, ok := errors.AsType[*openai.Error](err); ok {
			return facts{Status: e.StatusCode, Error: fmt.Sprintf("%T", e), Code: e.Code}, nil
		}
		return facts{}, err
	}
}

func hangUp(ctx context.Context, c openai.Client) (facts, error) {
	p := params()
	p.Model = "gated"
	var f facts
	s := c.Chat.Completions.NewStreaming(ctx, p)
	for f.Text == "" && s.Next() {
		f.Text = s.Current().Choices[0].Delta.Content
	}
	return f, errors.Join(s.Err(), s.Close())
}

func parallel(ctx context.Context, c openai.Client) (facts, error) {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		f    facts
		errs []error
	)
	for range 16 {
		all.Go(func() {
			one, err := whole(c.Chat.Completions.New(ctx, params()))
			mu.Lock()
			defer mu.Unlock()
			f.IDs = append(f.IDs, one.IDs...)
			errs = append(errs, err)
		})
	}
	all.Wait()
	return f, errors.Join(errs...)
}
