package clients

import (
	"context"
	"strings"

	"google.golang.org/genai"
)

// goGeminiLive holds a session over a WebSocket. The SDK takes every base URL but
// ws:// for one with TLS.
func goGeminiLive(ctx context.Context, proxy *running, feature string) (facts, error) {
	return runGemini(ctx, strings.Replace(proxy.url, "http", "ws", 1)+"/gemini", feature)
}

func flashLiveTalk(ctx context.Context, c *genai.Client) (facts, error) {
	var f facts
	talk, err := c.Live.Connect(ctx, flashLive, &genai.LiveConnectConfig{ResponseModalities: []genai.Modality{genai.ModalityText}})
	if err != nil {
		return f, err
	}
	defer talk.Close()
	for _, words := range []string{ask, "And again"} {
		if err := talk.SendClientContent(genai.LiveClientContentInput{Turns: genai.Text(words)}); err != nil {
			return f, err
		}
		for ended := false; !ended; {
			m, err := talk.Receive()
			if err != nil {
				return f, err
			}
			f.Chunks++
			if u := m.UsageMetadata; u != nil {
				f.Usage = &tokens{int64(u.PromptTokenCount), int64(u.ResponseTokenCount)}
			}
			if m.ServerContent == nil {
				continue
			}
			ended = m.ServerContent.TurnComplete
			if m.ServerContent.ModelTurn != nil {
				for _, p := range m.ServerContent.ModelTurn.Parts {
					f.Text += p.Text
				}
			}
		}
	}
	return f, nil
}
