package openai_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// One image is megabytes: its size and digest are kept, and nothing behind it is
// lost, in a plain answer, in a stream and among the answers of the images endpoint.
func TestLargeImages(t *testing.T) {
	image := strings.Repeat("iVBORw0KGgo/", 400_000) // 4.8 MB
	sum := sha256.Sum256([]byte(image))
	object := fmt.Sprintf(`{"id":"resp_1","object":"response","status":"completed","model":"gpt-5","output":[{"id":"ig_1","type":"image_generation_call","result":%q},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Here."}]}],"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`, image)
	stream := fmt.Sprintf("event: response.image_generation_call.partial_image\ndata: {\"type\":\"response.image_generation_call.partial_image\",\"partial_image_b64\":%q}\n\n"+
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":%s}\n\n", image, object)
	images := fmt.Sprintf(`{"created":1,"data":[{"b64_json":%[1]q},{"b64_json":%[1]q}],"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`, image)
	for _, f := range []struct{ name, target, media, body string }{
		{"plain", "/v1/responses", "application/json", object},
		{"stream", "/v1/responses", "text/event-stream", stream},
		{"images", "/v1/images/generations", "application/json", images},
	} {
		t.Run(f.name, func(t *testing.T) {
			x := providerstest.Fixture{Target: f.target, ResponseHeader: llm.Header("Content-Type: " + f.media + "\r\n"), Response: []byte(f.body)}.Exchange()
			c, err := dialect.Read(x, providerstest.Cut([]byte(f.body), 16<<10)...)
			if err != nil {
				t.Fatal(err)
			}
			out, _ := c.Usage.Output()
			blobs := 0
			for _, p := range c.Output[0].Parts {
				if p.Type == llm.PartBlob {
					if blobs++; p.Size != int64(len(image)) || p.SHA256 != hex.EncodeToString(sum[:]) {
						t.Errorf("blob of %d bytes, %s", p.Size, p.SHA256)
					}
				}
			}
			if out != 9 || blobs == 0 || len(c.Problems) > 0 {
				t.Errorf("%d tokens out, %d blobs, %q", out, blobs, c.Problems)
			}
		})
	}
}

// Instructions of megabytes are told again by each object of a stream.
func TestLargeEcho(t *testing.T) {
	big := strings.Repeat("do this and that; ", 120_000) // 2.1 MB
	body := fmt.Appendf(nil, "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"instructions\":%[1]q,\"status\":\"in_progress\"}}\n\n"+
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"instructions\":%[1]q,\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Done.\"}]}],\"usage\":{\"input_tokens\":500000,\"output_tokens\":2}}}\n\n", big)
	x := providerstest.Fixture{Target: "/v1/responses", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"), Response: body}.Exchange()
	c, err := dialect.Read(x, providerstest.Cut(body, 16<<10)...)
	if err != nil {
		t.Fatal(err)
	}
	if in, _ := c.Usage.Input(); in != 500_000 || len(c.Problems) > 0 || texts(c) != "Done.|" {
		t.Errorf("%d tokens in, %q, %q", in, c.Problems, texts(c))
	}
}

// A vendor that sends no deltas but the whole text, and one that names no places.
func TestStreamsThatSayLess(t *testing.T) {
	read := func(events ...string) *llm.Call {
		t.Helper()
		body := []byte("data: " + strings.Join(events, "\n\ndata: ") + "\n\n")
		x := providerstest.Fixture{Target: "/v1/responses", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"), Response: body}.Exchange()
		c, err := dialect.Read(x, body)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := read(`{"type":"response.created","response":{"id":"r"}}`,
		`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"All at once."}`,
		`{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":3}}}`)
	if texts(c) != "All at once.|" || c.FirstToken.IsZero() || c.Chunks.Count != 1 || c.FinishReasons[0] != "stop" {
		t.Errorf("%s", providerstest.Show(c))
	}
	c = read(`{"type":"response.output_item.added","item":{"id":"m","type":"message"}}`,
		`{"type":"response.output_text.delta","item_id":"m","delta":"A"}`,
		`{"type":"response.output_item.added","item":{"id":"f","type":"custom_tool_call","name":"run","call_id":"c"}}`,
		`{"type":"response.output_text.delta","item_id":"m","delta":"B"}`,
		`{"type":"response.custom_tool_call_input.delta","item_id":"f","delta":"ls"}`)
	if texts(c) != "AB|ls|" || attr(c, "spanwire.stream.incomplete") != true || c.Output[0].Parts[1].Name != "run" {
		t.Errorf("%s", providerstest.Show(c))
	}
	c = read(`{"type":"response.created","response":{"id":"r"}}`, `{"error":{"message":"No credits.","code":402}}`)
	if c.ErrorMessage != "No credits." || c.ErrorType != "402" {
		t.Errorf("%s", providerstest.Show(c))
	}
	c = read(`{"id":"x","choices":[{"index":0,"delta":{"content":"chat"}}]}`, `{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `[DONE]`)
	if texts(c) != "chat|" || c.FinishReasons[0] != "stop" {
		t.Errorf("a chat stream: %s", providerstest.Show(c))
	}
}

// Memory is bounded whatever comes.
func TestResponseIsBounded(t *testing.T) {
	var body bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&body, "data: {\"type\":\"response.output_text.delta\",\"output_index\":%d,\"content_index\":%d,\"delta\":\"%s\"}\n\n", i, i, strings.Repeat("x ", 400))
	}
	x := providerstest.Fixture{Target: "/v1/responses", ResponseHeader: llm.Header("Content-Type: text/event-stream\r\n"), Response: body.Bytes()}.Exchange()
	c, err := dialect.Read(x, providerstest.Cut(body.Bytes(), 4096)...)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(texts(c)); n > 2<<20 || len(c.Problems) == 0 {
		t.Errorf("%d bytes, %q", n, c.Problems)
	}
}
