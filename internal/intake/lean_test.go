package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/content"
	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

func passLean(body string, n int) string {
	var l lean
	var out bytes.Buffer
	for b := []byte(body); len(b) > 0; {
		k := min(n, len(b))
		p := bytes.Clone(b[:k])
		out.Write(l.pass(p))
		for i := range p {
			p[i] = '#'
		}
		b = b[k:]
	}
	return out.String()
}

func TestLeanCutsBase64(t *testing.T) {
	data := strings.Repeat("QUJD+/09", 2000)
	sum := sha256.Sum256([]byte(data))
	for name, c := range map[string]struct {
		body, key string
		cut       bool
	}{
		"image":             {`{"created":1,"data":[{"b64_json":"%s"}],"usage":{"input_tokens":1}}`, "b64_json", true},
		"spaced":            {`{"a":{"result" : "%s"},"b":"x"}`, "result", true},
		"data url":          {`{"image_url":"data:image/png;base64,%s","b":1}`, "image_url", true},
		"text of a model":   {`{"text":"%s","b":1}`, "", false},
		"within a text":     {`{"result":"this is %s","b":1}`, "", false},
		"event":             {"event: x\ndata: {\"item\":{\"result\":\"%s\"}}\n\n", "result", true},
		"other member":      {`{"content":"%s"}`, "", false},
		"ends the body":     {`{"b64_json":"%s`, "b64_json", false},
		"longer name":       {`{"my_result":"%s"}`, "", false},
		"no member at all":  {`["%s"]`, "", false},
		"twice":             {`{"data":"%[1]s","url":"%[1]s"}`, "data", true},
		"other base64 near": {`{"text":"QUJD","audio_data":"%s"}`, "audio_data", true},
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(c.body, data)
			want := passLean(body, len(body))
			for _, n := range []int{1, 2, 7, 13, 333, 1023, 1024, 4096, 5000} {
				if got := passLean(body, n); got != want {
					t.Fatalf("pieces of %d: %d bytes, want %d:\n%.300s", n, len(got), len(want), got)
				}
			}
			if !c.cut {
				if c.key == "" && want != body {
					t.Fatalf("was cut: %.200s", want)
				}
				return
			}
			if len(want) > len(body)/2 {
				t.Fatalf("%d bytes of %d stay", len(want), len(body))
			}
			at := strings.Index(want, c.key)
			m := jsonwalk.Object([]byte(`{"` + want[at:]))
			if !m.Next() {
				t.Fatal("no member")
			}
			p := content.Link(m.Val, "image")
			if p.Type != llm.PartBlob {
				p = content.Blob(jsonwalk.Inner(m.Val), "image", "")
			}
			if p.Size != int64(len(data)) || p.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("%d bytes %s, want %d", p.Size, p.SHA256, len(data))
			}
			if suffix := body[strings.LastIndex(body, data)+len(data):]; !strings.HasSuffix(want, suffix) {
				t.Errorf("the end is lost: %q", want[len(want)-80:])
			}
		})
	}
}

func FuzzLean(f *testing.F) {
	f.Add([]byte(`{"data":"`+strings.Repeat("A", 5000)+`"}`), 7)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		n = 1 + max(n, -n)&0xfff
		if a, b := passLean(string(body), len(body)+1), passLean(string(body), n); a != b {
			t.Fatalf("pieces of %d: %q, want %q", n, b, a)
		}
	})
}

func BenchmarkLean(b *testing.B) {
	for name, p := range map[string]string{
		"delta": `data: {"type":"response.output_text.delta","delta":" word","item_id":"msg_060f468708eb0ff90069f3e2f2bb00819398117e5b32b4a3de","output_index":2,"sequence_number":17}` + "\n\n",
		"image": `{"b64_json":"` + strings.Repeat("QUJD", 8192) + `"}`,
		"text":  `{"text":"` + strings.Repeat("some words ", 3000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			var l lean
			piece := []byte(p)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				l.pass(piece)
			}
		})
	}
}
