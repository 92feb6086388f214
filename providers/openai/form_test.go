package openai_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/openai"
)

// form writes a multipart body: a field name=text, or a file name@type=bytes.
func form(t *testing.T, fields ...string) (body []byte, header llm.Header) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		name, text, _ := strings.Cut(f, "=")
		h := textproto.MIMEHeader{}
		if field, media, ok := strings.Cut(name, "@"); ok {
			h.Set("Content-Disposition", `form-data; name="`+field+`"; filename="a.bin"`)
			h.Set("Content-Type", media)
		} else {
			h.Set("Content-Disposition", `form-data; name="`+name+`"`)
		}
		p, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), llm.Header("Content-Type: " + w.FormDataContentType() + "\r\n")
}

func readForm(t *testing.T, target string, body []byte, h llm.Header, head int) *llm.Call {
	t.Helper()
	x := providerstest.Fixture{Target: target, RequestHeader: h, Request: body}.Exchange()
	if head > 0 {
		x.Request.Truncated, x.Request.Head = true, head
	}
	c := &llm.Call{}
	if err := (openai.Dialect{}).ReadRequest(c, x); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestForm(t *testing.T) {
	body, h := form(t, "model=whisper-1", "file@audio/wav=RIFF\x00\r\n--not", "language=de", "temperature=0.2", "stream=true", "prompt=Names: Ada", "timestamp_granularities[]=word", "metadata[run]=7")
	c := readForm(t, "/v1/audio/transcriptions", body, h, 0)
	if c.RequestModel != "whisper-1" || !c.Stream || c.Operation != "transcription" || attr(c, "openai.request.language") != "de" || attr(c, "gen_ai.request.temperature") != 0.2 || attr(c, "openai.request.metadata.run") != "7" || len(c.Problems) > 0 {
		t.Errorf("%s", providerstest.Show(c))
	}
	sum := sha256.Sum256([]byte("RIFF\x00\r\n--not"))
	if p := c.Input[0].Parts; len(p) != 2 || p[0].Modality != "audio" || p[0].Size != 12 || p[0].SHA256 != hex.EncodeToString(sum[:]) || p[0].Name != "a.bin" || p[1].Content != "Names: Ada" {
		t.Errorf("%+v", p)
	}

	body, h = form(t, "image[]@image/png=one", "image[]@image/png=two", "mask@image/png=m", "prompt=a \"cat\"\n", "n=2", "size=512x512", "model=gpt-image-1")
	c = readForm(t, "/v1/images/edits", body, h, 0)
	if len(c.Input[0].Parts) != 4 || c.Input[0].Parts[3].Content != "a \"cat\"\n" || attr(c, "gen_ai.request.choice.count") != int64(2) || attr(c, "openai.request.size") != "512x512" || c.RequestModel != "gpt-image-1" {
		t.Errorf("%s", providerstest.Show(c))
	}
}

// The middle of a large form is not kept: what stands before the file and behind it
// is read.
func TestFormWithoutItsMiddle(t *testing.T) {
	body, h := form(t, "language=de", "file@audio/wav="+strings.Repeat("sound", 10_000), "model=whisper-1", "prompt=Names")
	kept := append(bytes.Clone(body[:2000]), body[len(body)-1000:]...)
	c := readForm(t, "/v1/audio/transcriptions", kept, h, 2000)
	if c.RequestModel != "whisper-1" || attr(c, "openai.request.language") != "de" || len(c.Problems) != 1 {
		t.Errorf("%s", providerstest.Show(c))
	}
}

func FuzzForm(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n"), 0)
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n3"), 40)
	f.Fuzz(func(t *testing.T, body []byte, head int) {
		x := providerstest.Fixture{Target: "/v1/images/edits", RequestHeader: llm.Header("Content-Type: multipart/form-data; boundary=b\r\n"), Request: body}.Exchange()
		x.Request.Truncated, x.Request.Head = head != 0, head
		c := &llm.Call{}
		_ = openai.Dialect{}.ReadRequest(c, x)
		if s := providerstest.Show(c); strings.HasPrefix(s, "not representable") {
			t.Fatal(s)
		}
	})
}
