package anthropic_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/anthropic"
)

// longStream is a stream of n pieces of text, as Anthropic sends it.
func longStream(n int) [][]byte {
	pieces := [][]byte{
		[]byte("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5-20251001\",\"id\":\"msg_011CeCGnM5SAian4ZuswG89b\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null,\"usage\":{\"input_tokens\":80,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":3,\"service_tier\":\"standard\",\"inference_geo\":\"not_available\"}}       }\n\n"),
		[]byte("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}      }\n\n"),
		[]byte("event: ping\ndata: {\"type\": \"ping\"}\n\n"),
	}
	for i := range n {
		pieces = append(pieces, fmt.Appendf(nil, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word%d\"}%*s}\n\n", i, i%14, ""))
	}
	return append(pieces,
		[]byte("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0 }\n\n"),
		[]byte("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"stop_details\":null},\"usage\":{\"input_tokens\":80,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":638,\"output_tokens_details\":{\"thinking_tokens\":353}}       }\n\n"),
		[]byte("event: message_stop\ndata: {\"type\":\"message_stop\"  }\n\n"))
}

// BenchmarkStream reads a whole stream of 200 chunks, request and end included.
func BenchmarkStream(b *testing.B) {
	bench := func(name string, pieces [][]byte) {
		b.Run(name, func(b *testing.B) {
			x := streamExchange()
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c := &llm.Call{}
				if err := (anthropic.Dialect{}).ReadRequest(c, x); err != nil {
					b.Fatal(err)
				}
				r := anthropic.Dialect{}.NewReader(x)
				for _, p := range pieces {
					r.Wrote(p, at)
				}
				if err := r.Finish(c, x); err != nil || len(c.Output) != 1 || !c.Usage.Known() {
					b.Fatal(err)
				}
			}
		})
	}
	bench("events", longStream(200))
	bench("in 64 byte pieces", providerstest.Cut(bytes.Join(longStream(200), nil), 64))
}

// BenchmarkChunk reads one event more of a stream.
func BenchmarkChunk(b *testing.B) {
	for name, chunk := range map[string]string{
		"text":  events(piece(" word")),
		"input": events(`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\": \""}}`),
		"ping":  events(ping),
	} {
		b.Run(name, func(b *testing.B) {
			r := anthropic.Dialect{}.NewReader(streamExchange())
			at := time.Now()
			r.Wrote([]byte(events(started, open)), at)
			data := []byte(chunk)
			b.ReportAllocs()
			for b.Loop() {
				r.Wrote(data, at)
			}
		})
	}
}

// BenchmarkPlain reads one plain answer of 2 KB.
func BenchmarkPlain(b *testing.B) {
	x := streamExchange()
	x.ResponseHeader = llm.Header("Content-Type: application/json\r\n")
	body := fmt.Appendf(nil, `{"model":"claude-x","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":4658,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":120,"service_tier":"standard"}}`, bytes.Repeat([]byte("word "), 400))
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c := &llm.Call{}
		_ = anthropic.Dialect{}.ReadRequest(c, x)
		r := anthropic.Dialect{}.NewReader(x)
		r.Wrote(body, at)
		if err := r.Finish(c, x); err != nil || len(c.Output) != 1 {
			b.Fatal(err)
		}
	}
}

// An event costs no allocation of its own: the text that is kept grows by doubling.
func TestEventsAllocateNothing(t *testing.T) {
	r := anthropic.Dialect{}.NewReader(streamExchange())
	at := time.Now()
	r.Wrote([]byte(events(started, open)), at)
	stream := []byte(strings.Repeat(events(piece(" word"), ping), 1000))
	if n := testing.AllocsPerRun(5, func() { r.Wrote(stream, at) }); n > 20 {
		t.Errorf("%v allocations for 2,000 events", n)
	}
}
