package providers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// prose is n bytes of a prompt as clients send it: JSON text with an escape now and
// then.
func prose(n int) string {
	const s = `Context paragraph: the \"quick\" brown fox jumps over 13 lazy dogs; caf\u00e9 & cr\u00e8me <b>br\u00fbl\u00e9e</b>.\nNext line follows here. `
	return strings.Repeat(s, n/len(s)) + strings.Repeat("x", n%len(s))
}

const vendorHead = "Date: Sat, 21 Nov 2026 00:00:00 GMT\r\nopenai-version: 2020-10-01\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\n" +
	"openai-processing-ms: 12\r\nx-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\nCF-Cache-Status: DYNAMIC\r\n"

// usual is a call of the kind that there are most of, and the pieces of its answer.
func usual(path, request string, head string, pieces ...string) (*llm.Exchange, [][]byte) {
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	x := &llm.Exchange{
		ID: "0193d2a1-4b7c-7000-8000-000000000000", Provider: "openai", Method: "POST", Target: path, UpstreamTarget: path,
		Scheme: "https", Host: "api.openai.com", Port: 443, Status: 200, Ended: llm.EndComplete,
		RequestHeader: llm.Header("Host: localhost\r\nAccept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 2.8.0\r\n" +
			"X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 2.8.0\r\nX-Stainless-Runtime: CPython\r\nAuthorization: Bearer sk-mock-0123456789abcdef\r\n"),
		ResponseHeader: llm.Header(vendorHead + head),
		Request:        llm.Body{Data: []byte(request), Size: int64(len(request))},
		Start:          at, Sent: at.Add(time.Millisecond), FirstByte: at.Add(time.Second), FirstWrite: at.Add(time.Second), End: at.Add(2 * time.Second),
	}
	var out [][]byte
	for _, p := range pieces {
		x.Response.Size += int64(len(p))
		out = append(out, []byte(p))
	}
	return x, out
}

func usualChat(prompt int, stream string) string {
	return `{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"` +
		prose(prompt) + `"}],"temperature":0.7,"max_tokens":512` + stream + `}`
}

const usualUsage = `"usage":{"prompt_tokens":42,"completion_tokens":128,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
	`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`

func usualAnswer() string {
	return `{"id":"chatcmpl-mock00000000000000000000","object":"chat.completion","created":1763683200,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("The proxy forwards every token as soon as it arrives <by> the provider & nobody else. ", 10) +
		`","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` + usualUsage + `,"service_tier":"default","system_fingerprint":"fp_mock"}`
}

// BenchmarkRead is what reading one call costs, from the heads and bodies to the
// call: watching its answer go by, which is on the data path, and Table.Read, which is
// not.
func BenchmarkRead(b *testing.B) {
	tab := table(b)
	row := tab.Row("openai")
	bench := func(name string, x *llm.Exchange, pieces [][]byte, good func(*llm.Call) bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Observer = row.Observe(x)
				for _, p := range pieces {
					x.Observer.Wrote(p, x.FirstByte)
				}
				c, err := tab.Read(x)
				if err != nil || !good(c) {
					b.Fatalf("%v %+v", err, c)
				}
			}
		})
	}
	said := func(c *llm.Call) bool {
		in, _ := c.Usage.Input()
		return in == 42 && len(c.Input) == 2 && len(c.Output) == 1 && c.FinishReasons[0] == "stop" && c.ResponseID != ""
	}
	const path, plain, stream = "/v1/chat/completions", "Content-Type: application/json\r\n", "Content-Type: text/event-stream; charset=utf-8\r\n"
	x, pieces := usual(path, usualChat(1500, ""), plain, usualAnswer())
	bench("small chat", x, pieces, said)
	x, pieces = usual(path, usualChat(200<<10, ""), plain, usualAnswer())
	bench("200 KB prompt", x, pieces, said)
	x, pieces = usual(path, usualChat(1500, `,"stream":true`), stream, usualStream(200)...)
	bench("200 chunks", x, pieces, said)
}

func usualStream(n int) (pieces []string) {
	chunk := func(choices, more string) {
		pieces = append(pieces, `data: {"id":"chatcmpl-mock00000000000000000000","object":"chat.completion.chunk","created":1763683200,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_mock","choices":[`+choices+`],`+more+"}\n\n")
	}
	chunk(`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}`, `"usage":null`)
	for i := range n {
		chunk(fmt.Sprintf(`{"index":0,"delta":{"content":" word %d and more"},"logprobs":null,"finish_reason":null}`, i), `"usage":null`)
	}
	chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, `"usage":null`)
	chunk("", usualUsage)
	return append(pieces, "data: [DONE]\n\n")
}

// TestReadingAllocates holds what a small chat costs in allocations: the call, its
// messages and their texts, what watches the answer, and what differs from call to call.
func TestReadingAllocates(t *testing.T) {
	tab := table(t)
	row := tab.Row("openai")
	x, pieces := usual("/v1/chat/completions", usualChat(1500, ""), "Content-Type: application/json\r\n", usualAnswer())
	n := testing.AllocsPerRun(200, func() {
		x.Observer = row.Observe(x)
		x.Observer.Wrote(pieces[0], x.FirstByte)
		if _, err := tab.Read(x); err != nil {
			t.Fatal(err)
		}
	})
	if n > 14 {
		t.Errorf("%v allocations", n)
	}
}
