package openai

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	param "github.com/spanwire/spanwire/internal/params"
	"github.com/spanwire/spanwire/llm"
)

// Bounds on a form.
const (
	maxFields = 256
	maxField  = 256 << 10 // bytes of a field that is no file
)

// formBoundary returns the boundary of a multipart form; ok is false when the
// request is none.
func formBoundary(h llm.Header) (boundary string, ok bool) {
	media, values, err := mime.ParseMediaType(h.Get("content-type"))
	if err != nil || !strings.HasPrefix(media, "multipart/") {
		return "", false
	}
	return values["boundary"], true
}

// form reads the fields of a multipart request: names and texts, and of files name,
// type, size and digest. A copy that lacks its middle is read up to there, and on
// from the next field.
func (q *resultRequest) form(boundary string, head, tail []byte, cut bool) {
	n := q.fields(boundary, head, cut)
	if at := bytes.Index(tail, []byte("\r\n--"+boundary)); at >= 0 && boundary != "" {
		n += q.fields(boundary, tail[at+2:], false)
	}
	q.finish()
	if n == 0 {
		q.c.Problems = append(q.c.Problems, "request body: no field of a form")
	}
}

func (q *resultRequest) fields(boundary string, body []byte, cut bool) (n int) {
	if boundary == "" {
		return 0
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for ; n < maxFields; n++ {
		part, err := r.NextRawPart()
		if err != nil {
			if !errors.Is(err, io.EOF) && !cut {
				q.c.Problems = append(q.c.Problems, "request body: a form that is not whole")
			}
			return n
		}
		if name := part.FormName(); part.FileName() != "" {
			q.file(name, part)
		} else {
			q.field(name, part)
		}
	}
	return n
}

// field reads a text of a form as the member of that name.
func (q *resultRequest) field(name string, part io.Reader) {
	text, err := io.ReadAll(io.LimitReader(part, maxField))
	name = strings.TrimSuffix(name, "[]")
	if err != nil && (name != "prompt" && name != "input" || len(text) == 0) {
		return // cut off: a part of a name is another name
	}
	val := formValue(name, text)
	if metadata, ok := strings.CutPrefix(name, "metadata["); ok {
		q.c.SetAttr("openai.request.metadata."+jsonwalk.Clip(strings.TrimSuffix(metadata, "]"), 128), jsonwalk.Clip(string(text), param.MaxText))
		return
	}
	q.member(name, val)
}

// formValue writes the text of a field as the JSON value that it stands for.
func formValue(name string, text []byte) []byte {
	switch row := resultParams[name]; {
	case name == "stream", row.Form == param.Bool:
		return bytes.TrimSpace(text)
	case row.Key != "" && (row.Form == param.Int || row.Form == param.Double):
		if _, err := strconv.ParseFloat(string(text), 64); err == nil {
			return text
		}
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		panic("BUG: form value: " + err.Error()) // a text
	}
	return quoted
}

// file keeps what there is to say of a file.
func (q *resultRequest) file(name string, part *multipart.Part) {
	sum := sha256.New()
	size, err := io.Copy(sum, part)
	p := llm.Part{Type: llm.PartBlob, Name: jsonwalk.Clip(part.FileName(), 256), Size: size, Modality: modalityOf(name, part.Header.Get("Content-Type"))}
	p.MIMEType = jsonwalk.Clip(part.Header.Get("Content-Type"), 128)
	if err == nil {
		p.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	if q.kind == transcription && p.Modality == "" {
		p.Modality = "audio"
	}
	q.parts = append(q.parts, p)
}

// modalityOf says what a file holds, by its type, else by the field it is in.
func modalityOf(field, media string) string {
	switch kind, _, _ := strings.Cut(media, "/"); kind {
	case "image", "audio", "video":
		return kind
	}
	if strings.HasPrefix(field, "image") || field == "mask" {
		return "image"
	}
	return ""
}
