package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"google.golang.org/genai"
)

// goGemini drives the official SDK in this process.
func goGemini(ctx context.Context, proxy *running, feature string) (facts, error) {
	return runGemini(ctx, proxy.url+"/gemini", feature)
}

func runGemini(ctx context.Context, baseURL, feature string) (facts, error) {
	c, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: apiKey, Backend: genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: baseURL},
	})
	if err != nil {
		return facts{}, err
	}
	run, ok := goGeminiFeatures[feature]
	if !ok {
		return facts{}, fmt.Errorf("the Go client has no feature %s", feature)
	}
	f, err := run(ctx, c)
	f.SDK = "genai " + goVersion("google.golang.org/genai")
	return f, err
}

var goGeminiFeatures = map[string]func(context.Context, *genai.Client) (facts, error){
	"live": flashLiveTalk,
	"generate": func(ctx context.Context, c *genai.Client) (facts, error) {
		temperature := float32(0.5)
		return flashWhole(c.Models.GenerateContent(ctx, flash, genai.Text(ask), &genai.GenerateContentConfig{
			Temperature: &temperature, MaxOutputTokens: 200, SystemInstruction: genai.NewContentFromText(terse, genai.RoleUser),
		}))
	},
	"stream": func(ctx context.Context, c *genai.Client) (facts, error) {
		return flashStream(c.Models.GenerateContentStream(ctx, flash, genai.Text(ask), nil))
	},
	"tools": func(ctx context.Context, c *genai.Client) (facts, error) {
		return flashWithTools(func(talk []*genai.Content, config *genai.GenerateContentConfig) (facts, error) {
			return flashWhole(c.Models.GenerateContent(ctx, flash, talk, config))
		})
	},
	"tools_stream": func(ctx context.Context, c *genai.Client) (facts, error) {
		return flashWithTools(func(talk []*genai.Content, config *genai.GenerateContentConfig) (facts, error) {
			return flashStream(c.Models.GenerateContentStream(ctx, flash, talk, config))
		})
	},
	"thinking": func(ctx context.Context, c *genai.Client) (facts, error) {
		budget := int32(128)
		return flashStream(c.Models.GenerateContentStream(ctx, flash, genai.Text(ask), &genai.GenerateContentConfig{
			ThinkingConfig: &genai.ThinkingConfig{ThinkingBudget: &budget, IncludeThoughts: true},
		}))
	},
	"structured": func(ctx context.Context, c *genai.Client) (facts, error) {
		f, err := flashWhole(c.Models.GenerateContent(ctx, flash, genai.Text(ask), &genai.GenerateContentConfig{
			ResponseMIMEType: "application/json", ResponseJsonSchema: citySchema,
		}))
		f.Parsed = isCity(f.Text)
		return f, err
	},
	"embeddings": func(ctx context.Context, c *genai.Client) (facts, error) {
		r, err := c.Models.EmbedContent(ctx, flashEmbed, append(genai.Text("one"), genai.Text("two")...), nil)
		if err != nil {
			return facts{}, err
		}
		var f facts
		for _, e := range r.Embeddings {
			f.Dimensions = append(f.Dimensions, len(e.Values))
		}
		return f, nil
	},
	"count_tokens": func(ctx context.Context, c *genai.Client) (facts, error) {
		r, err := c.Models.CountTokens(ctx, flash, genai.Text(ask), nil)
		if err != nil {
			return facts{}, err
		}
		return facts{Count: int64(r.TotalTokens)}, nil
	},
	"models": func(ctx context.Context, c *genai.Client) (facts, error) {
		var names []string
		for m, err := range c.Models.All(ctx) {
			if err != nil {
				return facts{}, err
			}
			names = append(names, m.Name)
		}
		return facts{Text: strings.Join(names, ",")}, nil
	},
	"not_found": func(ctx context.Context, c *genai.Client) (facts, error) {
		return flashFailed(c.Models.GenerateContent(ctx, "gemini-none", genai.Text(ask), nil))
	},
	"rate_limited": func(ctx context.Context, c *genai.Client) (facts, error) {
		return flashFailed(c.Models.GenerateContent(ctx, flash, genai.Text(ask), nil))
	},
	"stream_refused": func(ctx context.Context, c *genai.Client) (facts, error) {
		_, err := flashStream(c.Models.GenerateContentStream(ctx, flash, genai.Text(ask), nil))
		f, err := flashFailed(nil, err)
		f.Code = ""
		return f, err
	},
	"blocked": func(ctx context.Context, c *genai.Client) (facts, error) {
		r, err := c.Models.GenerateContent(ctx, flash, genai.Text(ask), nil)
		f, err := flashWhole(r, err)
		if err == nil && r.PromptFeedback != nil {
			f.Finish = string(r.PromptFeedback.BlockReason)
		}
		return f, err
	},
	"cut": func(ctx context.Context, c *genai.Client) (facts, error) {
		f, err := flashStream(c.Models.GenerateContentStream(ctx, flash, genai.Text(ask), nil))
		f = facts{Text: f.Text}
		if err != nil {
			f.Error = fmt.Sprintf("%T", err)
		}
		return f, nil
	},
	"session": func(ctx context.Context, c *genai.Client) (facts, error) {
		return flashWhole(c.Models.GenerateContent(ctx, flash, genai.Text(ask), &genai.GenerateContentConfig{
			HTTPOptions: &genai.HTTPOptions{Headers: http.Header{
				"X-Spanwire-Team": {"search"}, "X-Spanwire-Session": {"chat-4711"},
			}},
		}))
	},
}

// add adds one answer, or one chunk of one.
func (f *facts) add(r *genai.GenerateContentResponse) {
	f.IDs, f.Model = []string{r.ResponseID}, r.ModelVersion
	if u := r.UsageMetadata; u != nil {
		f.Usage = &tokens{int64(u.PromptTokenCount), int64(u.CandidatesTokenCount)}
	}
	for _, c := range r.Candidates {
		if c.FinishReason != "" {
			f.Finish = string(c.FinishReason)
		}
		if c.Content == nil {
			continue
		}
		for _, p := range c.Content.Parts {
			switch {
			case p.FunctionCall != nil:
				arguments, _ := json.Marshal(p.FunctionCall.Args)
				f.Tools = append(f.Tools, toolCall{p.FunctionCall.ID, p.FunctionCall.Name, string(arguments)})
			case p.Thought:
				f.Thinking += p.Text
			default:
				f.Text += p.Text
			}
		}
	}
}

func flashWhole(r *genai.GenerateContentResponse, err error) (facts, error) {
	var f facts
	if err == nil {
		f.add(r)
	}
	return f, err
}

func flashStream(chunks iter.Seq2[*genai.GenerateContentResponse, error]) (facts, error) {
	var f facts
	for r, err := range chunks {
		if err != nil {
			return f, err
		}
		f.Chunks++
		f.add(r)
	}
	return f, nil
}

func flashFailed(_ *genai.GenerateContentResponse, err error) (facts, error) {
	if e, ok := errors.AsType[genai.APIError](err); ok {
		return facts{Status: e.Code, Error: fmt.Sprintf("%T", e), Code: e.Status}, nil
	}
	return facts{}, err
}

// flashWithTools plays an application that runs the tools which the model asks for.
func flashWithTools(complete func([]*genai.Content, *genai.GenerateContentConfig) (facts, error)) (facts, error) {
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
		Name: "get_weather", Description: "Current weather of a city.",
		ParametersJsonSchema: weatherSchema,
	}}}}}
	talk := genai.Text(ask)
	first, err := complete(talk, config)
	if err != nil {
		return first, err
	}
	var asked, answered []*genai.Part
	for _, call := range first.Tools {
		var args map[string]any
		if err := json.Unmarshal([]byte(call.Arguments), &args); err != nil {
			return first, err
		}
		asked = append(asked, &genai.Part{FunctionCall: &genai.FunctionCall{ID: call.ID, Name: call.Name, Args: args}})
		answered = append(answered, &genai.Part{FunctionResponse: &genai.FunctionResponse{
			ID: call.ID, Name: call.Name, Response: map[string]any{"result": weather},
		}})
	}
	talk = append(talk, genai.NewContentFromParts(asked, genai.RoleModel), genai.NewContentFromParts(answered, genai.RoleUser))
	last, err := complete(talk, config)
	last.IDs = append(first.IDs, last.IDs...)
	last.Tools = first.Tools
	return last, err
}
