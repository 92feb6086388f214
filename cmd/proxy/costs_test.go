package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
	"github.com/spanwire/spanwire/providers"
	"github.com/spanwire/spanwire/tokenizer"
)

// TestAnswersCostWhatTheVectorsSay reads each answer of the cost vectors as it comes
// off the wire and prices it: what the pricing package's own test is given as counts
// must also come out of the readers.
func TestAnswersCostWhatTheVectorsSay(t *testing.T) {
	file := filepath.Join(filepath.Dir(filepath.Dir(recordings(t))), "cost-vectors.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("NOT TESTED: that answers cost what the vectors say. Set SPANWIRE_DATA to the folder of the shared data. (%v)", err)
	}
	var vectors struct {
		Vectors []struct {
			ID, Provider, Model, Flavor string
			At                          time.Time
			Response                    json.RawMessage
			ExpectUSD                   *string `json:"expect_usd"`
		}
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	table, err := providers.New(nil, "openai")
	if err != nil {
		t.Fatal(err)
	}
	prices, err := pricing.Default()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{"google": "gemini", "aws-bedrock": "bedrock", "google-vertex": "vertex"}
	known := map[string]bool{}
	for _, r := range table.Rows() {
		known[r.Name] = true
	}
	read := 0
	for _, v := range vectors.Vectors {
		if len(v.Response) == 0 {
			continue
		}
		row := v.Provider
		if rows[row] != "" {
			row = rows[row]
		}
		if !known[row] {
			t.Errorf("%s: no provider %s", v.ID, row)
			continue
		}
		target := map[string]string{
			"anthropic": "/v1/messages", "gemini": "/v1beta/models/" + v.Model + ":generateContent",
			"bedrock": "/model/" + v.Model + "/converse", "cohere": "/v2/chat",
		}[row]
		if target == "" {
			target = "/v1/chat/completions"
		}
		if v.Flavor == "responses" {
			target = "/v1/responses"
		}
		x := &llm.Exchange{
			ID: v.ID, Provider: row, Method: "POST", Target: target, UpstreamTarget: target, Scheme: "https", Status: 200,
			RequestHeader: llm.Header("Content-Type: application/json\r\n"), ResponseHeader: llm.Header("Content-Type: application/json\r\n"),
			Response: llm.Body{Data: v.Response, Size: int64(len(v.Response))},
			Start:    v.At, Sent: v.At, FirstByte: v.At, FirstWrite: v.At, End: v.At.Add(time.Second), Ended: llm.EndComplete,
		}
		call, err := table.Read(x)
		if err != nil {
			t.Logf("%s: %v", v.ID, err)
		}
		prices.Price(call)
		got, want := "unset", "unset"
		if call.Cost.Known() {
			got = call.Cost.Total.String()
		}
		if v.ExpectUSD != nil {
			want = *v.ExpectUSD
		}
		if got != want {
			t.Errorf("%s: %s/%s: %s (%s %s), want %s; usage %+v", v.ID, v.Provider, v.Model, got, call.Cost.Price, call.Cost.Status, want, call.Usage)
		}
		read++
	}
	if read < 16 {
		t.Errorf("only %d answers", read)
	}
}

// TestImagesOfARequestAreCounted: how large an image is, and in what detail it is looked
// at, comes off the wire and is what its tokens depend on.
func TestImagesOfARequestAreCounted(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1024, 1024))); err != nil {
		t.Fatal(err)
	}
	data := "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
	table, err := providers.New(nil, "openai")
	if err != nil {
		t.Fatal(err)
	}
	chat := `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"hello"},{"type":"image_url","image_url":{"url":%q%s}}]}]}`
	responses := `{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_text","text":"hello"},{"type":"input_image","image_url":%q%s}]}]}`
	for _, c := range []struct {
		target, body, link, detail string
		image                      int64
		source                     llm.UsageSource
	}{
		{"/v1/chat/completions", chat, data, "", 85 + 4*170, llm.UsageRule},
		{"/v1/chat/completions", chat, data, `,"detail":"high"`, 85 + 4*170, llm.UsageRule},
		{"/v1/chat/completions", chat, data, `,"detail":"low"`, 85, llm.UsageRule},
		{"/v1/chat/completions", chat, "https://x.test/a.png", `,"detail":"low"`, 85, llm.UsageRule},
		{"/v1/chat/completions", chat, "https://x.test/a.png", "", 85, llm.UsageEstimated}, // nobody fetches it
		{"/v1/responses", responses, data, "", 85 + 4*170, llm.UsageRule},
		{"/v1/responses", responses, data, `,"detail":"low"`, 85, llm.UsageRule},
	} {
		body := fmt.Appendf(nil, c.body, c.link, c.detail)
		answer := []byte(`{"object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}]}`)
		if c.target == "/v1/responses" {
			answer = []byte(`{"object":"response","model":"gpt-4o","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}]}`)
		}
		call, err := table.Read(&llm.Exchange{
			Provider: "openai", Method: "POST", Target: c.target, UpstreamTarget: c.target, Status: 200, Ended: llm.EndComplete,
			Request: llm.Body{Data: body, Size: int64(len(body))}, Response: llm.Body{Data: answer, Size: int64(len(answer))},
		})
		if err != nil {
			t.Fatal(err)
		}
		tokenizer.New().Count(call)
		// 3, and for the message 3, its role and its text.
		if n, _ := call.Usage.Input(); n != 3+3+1+1+c.image || call.Usage.Source != c.source {
			t.Errorf("%s %.20s %s: %d (%s), want %d (%s)", c.target, c.link, c.detail, n, call.Usage.Source, 8+c.image, c.source)
		}
	}
}
