package content_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/content"
)

func TestImagesTellTheirSize(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 640, 481))
	encode := func(f func(*bytes.Buffer) error) []byte {
		t.Helper()
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	jpg := encode(func(b *bytes.Buffer) error { return jpeg.Encode(b, gray, nil) })
	// A camera puts a preview and a profile before the frame, each in its segment.
	preview := append([]byte{0xff, 0xe1, 0xff, 0xff}, bytes.Repeat([]byte{0xff}, 0xfffd)...)
	camera := append(append(append([]byte{0xff, 0xd8}, preview...), 0xff), jpg[2:]...)
	le := func(w, h int) []byte { return []byte{byte(w), byte(w >> 8), 0, byte(h), byte(h >> 8), 0} }
	webp := func(kind string, body ...byte) []byte {
		return append([]byte("RIFF\x00\x00\x00\x00WEBP"+kind+"\x00\x00\x00\x00"), body...)
	}
	for name, data := range map[string][]byte{
		"png":    encode(func(b *bytes.Buffer) error { return png.Encode(b, gray) }),
		"gif":    encode(func(b *bytes.Buffer) error { return gif.Encode(b, gray, nil) }),
		"jpeg":   jpg,
		"camera": camera,
		"VP8X":   webp("VP8X", append([]byte{0, 0, 0, 0}, le(639, 480)...)...),
		"VP8L":   webp("VP8L", 0x2f, byte(639&0xff), byte(639>>8|480&3<<6), byte(480>>2&0xff), byte(480>>10), 0, 0, 0, 0, 0),
		"VP8":    webp("VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, byte(640&0xff), 640>>8, byte(481&0xff), 481>>8),
	} {
		text := base64.StdEncoding.EncodeToString(data)
		for of, raw := range map[string]string{
			"": text, " with escapes": strings.ReplaceAll(text, "/", `\/`), " in lines": text[:20] + `\r\n` + text[20:], " for URLs": base64.URLEncoding.EncodeToString(data),
			" without padding": strings.TrimRight(text, "="),
		} {
			p := content.Blob([]byte(raw), "image", "")
			if p.Width != 640 || p.Height != 481 {
				t.Errorf("%s%s: %d × %d", name, of, p.Width, p.Height)
			}
		}
		quoted, err := json.Marshal("data:image/x;base64," + text)
		if err != nil {
			t.Fatal(err)
		}
		if p := content.Link(quoted, "image"); p.Width != 640 || p.Height != 481 {
			t.Errorf("%s by its link: %d × %d", name, p.Width, p.Height)
		}
		if p := content.Blob([]byte(text), "audio", ""); p.Width != 0 {
			t.Errorf("%s as audio has a width", name)
		}
	}
	for name, raw := range map[string]string{
		"nothing": "", "a word": "hello", "a PNG's beginning": "iVBORw0KGgo=", "a frame that was cut off": base64.StdEncoding.EncodeToString(camera[:3000]),
		"no sides":              base64.StdEncoding.EncodeToString([]byte("GIF89a\x00\x00\x00\x00\x00\x00")),
		"sides that nobody has": base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff")),
		"segments without end":  base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff, 0xd8}, 40_000)),
	} {
		if p := content.Blob([]byte(raw), "image", ""); p.Width != 0 || p.Height != 0 {
			t.Errorf("%s: %d × %d", name, p.Width, p.Height)
		}
	}
}

// Whatever stands where an image should: the size is within bounds, and little memory is taken.
func FuzzImageSize(f *testing.F) {
	f.Add([]byte("iVBORw0KGgoAAAANSUhEUgAAAoAAAAHh"))
	f.Add([]byte("/9j/4QAC/8AACwgB4QKAAQEiAP/a"))
	f.Add([]byte(`R0lGODlhgALhAQ\n\u0000`))
	f.Add([]byte("UklGRgAAAABXRUJQVlA4WAAAAAAAAAAAfwIA4AEA"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := content.Blob(raw, "image", "")
		if p.Width < 0 || p.Height < 0 || p.Width > 1<<20 || p.Height > 1<<20 || p.Width == 0 != (p.Height == 0) {
			t.Fatalf("%d × %d", p.Width, p.Height)
		}
	})
}
