package clients

import (
	"context"
	"encoding/json"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/realtime"
	"github.com/openai/openai-go/v3/responses"
)

// responseSocket makes two responses over one WebSocket.
func responseSocket(ctx context.Context, c openai.Client) (facts, error) {
	ws, err := c.Responses.Connect(ctx, responses.ResponseConnectionOptions{})
	if err != nil {
		return facts{}, err
	}
	defer ws.Close()
	one := func(words, previous string) (facts, error) {
		p := responses.ResponsesClientEventResponseCreateParam{
			Model: gpt,
			Input: responses.ResponsesClientEventResponseCreateInputUnionParam{OfString: param.NewOpt(words)},
		}
		if previous != "" {
			p.PreviousResponseID = param.NewOpt(previous)
		}
		var f facts
		if err := ws.Create(ctx, p); err != nil {
			return f, err
		}
		for {
			data, err := ws.RecvRaw(ctx)
			if err != nil {
				return f, err
			}
			var e responses.ResponseStreamEventUnion
			if err := json.Unmarshal(data, &e); err != nil {
				return f, err
			}
			if f.hear(e.Type, e.Delta, e.Response) != nil {
				return f, nil
			}
		}
	}
	first, err := one(ask, "")
	if err != nil {
		return first, err
	}
	last, err := one("And again", first.IDs[0])
	last.IDs = append(first.IDs, last.IDs...)
	return last, err
}

// realtimeSocket holds a realtime session of two responses.
func realtimeSocket(ctx context.Context, c openai.Client) (facts, error) {
	var f facts
	ws, err := c.Realtime.Connect(ctx, realtime.RealtimeConnectionOptions{}, option.WithQuery("model", realtimeModel))
	if err != nil {
		return f, err
	}
	defer ws.Close()
	send := func(event string) {
		if err == nil {
			err = ws.SendRaw(ctx, []byte(event))
		}
	}
	send(`{"type":"session.update","session":{"type":"realtime","output_modalities":["text"],"instructions":"` + terse + `"}}`)
	for _, words := range []string{ask, "And again"} {
		send(`{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"` + words + `"}]}}`)
		send(`{"type":"response.create"}`)
		f.Text, f.Chunks = "", 0
		for ended := false; err == nil && !ended; {
			e, failed := ws.Recv(ctx)
			if err = failed; err != nil {
				break
			}
			f.Chunks++
			switch e := e.AsAny().(type) {
			case realtime.ResponseTextDeltaEvent:
				f.Text += e.Delta
			case realtime.ResponseDoneEvent:
				ended = true
				f.IDs, f.Finish = append(f.IDs, e.Response.ID), string(e.Response.Status)
				f.Usage = &tokens{e.Response.Usage.InputTokens, e.Response.Usage.OutputTokens}
			}
		}
	}
	return f, err
}
