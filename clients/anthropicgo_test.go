package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// goAnthropic drives the official SDK in this process. Its base URL has the
// vendor's name, where the other languages leave it to the shape of the path.
func goAnthropic(ctx context.Context, proxy *running, feature string) (facts, error) {
	c := anthropic.NewClient(option.WithBaseURL(proxy.url+"/anthropic"), option.WithAPIKey(apiKey))
	run, ok := goAnthropicFeatures[feature]
	if !ok {
		return facts{}, fmt.Errorf("the Go client has no feature %s", feature)
	}
	f, err := run(ctx, c.Messages, c)
	f.SDK = "anthropic-sdk-go " + goVersion("github.com/anthropics/anthropic-sdk-go")
	return f, err
}

func claudeParams() anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model:     anthropic.ModelClaudeHaiku4_5,
		MaxTokens: 200,
		System:    []anthropic.TextBlockParam{{Text: terse}},
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(ask))},
	}
}

var goAnthropicFeatures = map[string]func(context.Context, anthropic.MessageService, anthropic.Client) (facts, error){
	"messages": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		p := claudeParams()
		p.Temperature = anthropic.Float(0.5)
		p.Metadata.UserID = anthropic.String("user_4711")
		return claudeWhole(m.New(ctx, p))
	},
	"stream": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		f, _, err := claudeStream(ctx, m, claudeParams())
		return f, err
	},
	"tools": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		return claudeWithTools(func(p anthropic.MessageNewParams) (facts, *anthropic.Message, error) {
			r, err := m.New(ctx, p)
			f, err := claudeWhole(r, err)
			return f, r, err
		})
	},
	"tools_stream": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		return claudeWithTools(func(p anthropic.MessageNewParams) (facts, *anthropic.Message, error) {
			return claudeStream(ctx, m, p)
		})
	},
	"thinking": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		p := claudeParams()
		p.MaxTokens = 2048
		p.Thinking = anthropic.ThinkingConfigParamUnion{OfEnabled: &anthropic.ThinkingConfigEnabledParam{BudgetTokens: 1024}}
		f, _, err := claudeStream(ctx, m, p)
		return f, err
	},
	"structured": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		p := claudeParams()
		p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: citySchema}
		f, err := claudeWhole(m.New(ctx, p))
		f.Parsed = isCity(f.Text)
		return f, err
	},
	"count_tokens": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		p := claudeParams()
		r, err := m.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: p.Model, Messages: p.Messages})
		if err != nil {
			return facts{}, err
		}
		return facts{Count: r.InputTokens}, nil
	},
	"models": func(ctx context.Context, _ anthropic.MessageService, c anthropic.Client) (facts, error) {
		var ids []string
		all := c.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
		for all.Next() {
			ids = append(ids, all.Current().ID)
		}
		return facts{Text: strings.Join(ids, ",")}, all.Err()
	},
	"not_found":    claudeFailing("claude-none"),
	"rate_limited": claudeFailing(anthropic.ModelClaudeHaiku4_5),
	"retried": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		return claudeWhole(m.New(ctx, claudeParams()))
	},
	"stream_error": claudeBreaking,
	"cut":          claudeBreaking,
	"session": func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		return claudeWhole(m.New(ctx, claudeParams(),
			option.WithHeader("x-spanwire-team", "search"), option.WithHeader("x-spanwire-session", "chat-4711")))
	},
}

func claudeWhole(r *anthropic.Message, err error) (facts, error) {
	if err != nil {
		return facts{}, err
	}
	f := facts{
		IDs: []string{r.ID}, Model: r.Model, Finish: string(r.StopReason),
		Usage: &tokens{r.Usage.InputTokens, r.Usage.OutputTokens},
	}
	for _, b := range r.Content {
		switch b.Type {
		case "text":
			f.Text += b.Text
		case "thinking":
			f.Thinking += b.Thinking
		case "tool_use":
			f.Tools = append(f.Tools, toolCall{b.ID, b.Name, string(b.Input)})
		}
	}
	return f, nil
}

func claudeStream(ctx context.Context, m anthropic.MessageService, p anthropic.MessageNewParams) (facts, *anthropic.Message, error) {
	var all anthropic.Message
	chunks := 0
	s := m.NewStreaming(ctx, p)
	defer s.Close()
	for s.Next() {
		chunks++
		if err := all.Accumulate(s.Current()); err != nil {
			return facts{}, nil, err
		}
	}
	f, err := claudeWhole(&all, nil)
	f.Chunks = chunks
	return f, &all, errors.Join(err, s.Err())
}

// claudeWithTools plays an application that runs the tools which the model asks for.
func claudeWithTools(complete func(anthropic.MessageNewParams) (facts, *anthropic.Message, error)) (facts, error) {
	p := claudeParams()
	p.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{
		Properties: map[string]any{"city": map[string]string{"type": "string"}}, Required: []string{"city"},
	}, "get_weather")}
	first, message, err := complete(p)
	if err != nil {
		return first, err
	}
	p.Messages = append(p.Messages, message.ToParam())
	for _, call := range first.Tools {
		p.Messages = append(p.Messages, anthropic.NewUserMessage(anthropic.NewToolResultBlock(call.ID, weather, false)))
	}
	last, _, err := complete(p)
	last.IDs = append(first.IDs, last.IDs...)
	last.Tools = first.Tools
	return last, err
}

func claudeFailing(name anthropic.Model) func(context.Context, anthropic.MessageService, anthropic.Client) (facts, error) {
	return func(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
		p := claudeParams()
		p.Model = name
		_, err := m.New(ctx, p)
		if e, ok := errors.AsType[*anthropic.Error](err); ok {
			return facts{Status: e.StatusCode, Error: fmt.Sprintf("%T", e), Code: string(e.Type())}, nil
		}
		return facts{}, err
	}
}

func claudeBreaking(ctx context.Context, m anthropic.MessageService, _ anthropic.Client) (facts, error) {
	var f facts
	s := m.NewStreaming(ctx, claudeParams())
	defer s.Close()
	for s.Next() {
		f.Text += s.Current().Delta.Text
	}
	if err := s.Err(); err != nil {
		f.Error = fmt.Sprintf("%T", err)
	}
	return f, nil
}
