package intake_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/intake"
	"github.com/spanwire/spanwire/internal/sse"
	"github.com/spanwire/spanwire/llm"
)

var start = time.Unix(1_800_000_000, 0)

// take reads body in pieces of step bytes and returns all that came out of it.
func take(header string, want intake.Form, body string, step int) (got []string, form intake.Form) {
	x := &llm.Exchange{ResponseHeader: llm.Header(header), End: start}
	b := intake.New(x, want, intake.Handler{
		Event: func(ev *sse.Event, _ time.Time) { got = append(got, fmt.Sprintf("event %s %s", ev.Name, ev.Data)) },
		Line:  func(line []byte, _ time.Time) { got = append(got, "line "+string(line)) },
		Frame: func(p []byte, _ time.Time) {
			if len(got) == 0 {
				got = append(got, "frame ")
			}
			got[0] += string(p)
		},
	})
	for i := 0; i < len(body); i += step {
		p := []byte(body[i:min(i+step, len(body))])
		b.Wrote(p, start)
		for j := range p {
			p[j] = '#'
		}
	}
	for _, p := range b.Finish(x) {
		got = append(got, "problem "+p)
	}
	if data, tail, gap := b.Whole(); len(data) > 0 || gap {
		got = append(got, fmt.Sprintf("whole %.100s %d %d %v", data, len(data), len(tail), gap))
	}
	return got, b.Form()
}

func TestForms(t *testing.T) {
	const sseType, ndjson, eventstream = "Content-Type: text/event-stream; charset=utf-8\r\n", "Content-Type: application/x-ndjson\r\n", "content-type: application/vnd.amazon.eventstream\r\n"
	f := func(header string, want intake.Form, body string, form intake.Form, out ...string) {
		t.Helper()
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write([]byte(body))
		_ = w.Close()
		for _, step := range []int{1, 3, 1 << 20} {
			for _, packed := range []bool{false, true} {
				h, b := header, body
				if packed {
					h, b = h+"Content-Encoding: gzip\r\n", z.String()
				}
				got, is := take(h, want, b, step)
				if is != form || strings.Join(got, "|") != strings.Join(out, "|") {
					t.Errorf("%q, step %d, packed %v: form %d\n%q\nwant\n%q", body, step, packed, is, got, out)
				}
			}
		}
	}
	f(sseType, 0, "data: 1\r\n\r\nevent: x\ndata: 2", intake.Events, "event  1", "event x 2")
	f("", 0, ": c\n\ndata: 1\n\n", intake.Events, "event  ", "event  1")
	f(sseType, 0, ` {"error":1}`, intake.Document, `whole {"error":1} 11 0 false`) // an error under the type of a stream
	f(ndjson, 0, "{\"a\":1}\n\n{\"b\":\"\\n\"}\r\n{\"c\"", intake.Lines, `line {"a":1}`, `line {"b":"\n"}`, `line {"c"`)
	f("", intake.Lines, "{\"a\":1}", intake.Lines, `line {"a":1}`)
	f("", intake.Elements, "[{\"a\":[1,\"]\\\"\"]}\n,\r\n{\"b\":{}}]\n", intake.Elements, `line {"a":[1,"]\""]}`, `line {"b":{}}`)
	f("", intake.Elements, "[{\"a\":1},{\"b\":", intake.Elements, `line {"a":1}`, `line {"b":`)
	f("", intake.Elements, `{"error":{}}`, intake.Document, `whole {"error":{}} 12 0 false`)
	f(eventstream, intake.Frames, "\x00\x01{bin", intake.Frames, "frame \x00\x01{bin")
	f("Content-Type: text/html\r\n", 0, "<html>", intake.Words, "whole <html> 6 0 false")
	f("Content-Type: audio/mpeg\r\n", 0, "{notjson", intake.Words, "whole {notjson 8 0 false")
	f("", 0, "", intake.Unknown)

	// Types that are wrong.
	const plain, raw = "Content-Type: text/plain; charset=utf-8\r\n", "Content-Type: application/octet-stream\r\n"
	for _, h := range []string{plain, raw} {
		f(h, 0, "data: {\"a\":1}\n\nevent: x\ndata: 2", intake.Events, `event  {"a":1}`, "event x 2")
		f(h, 0, "event: x\ndata: {}\n\n", intake.Events, "event x {}")
		f(h, 0, `{"a":1}`, intake.Document, `whole {"a":1} 7 0 false`)
		f(h, 0, "data: is what I said", intake.Words, "whole data: is what I said 20 0 false")
		f(h, 0, "dat", intake.Words, "whole dat 3 0 false")
		f(h, 0, "data:", intake.Words, "whole data: 5 0 false")
		f(h, 0, "data:"+strings.Repeat(" ", 70)+"{}\n\n", intake.Words, "whole data:"+strings.Repeat(" ", 70)+"{}\n\n 79 0 false")
		f(h, intake.Lines, "{\"a\":1}\n", intake.Lines, `line {"a":1}`)
		f(h, intake.Frames, "\x00\x00\x01{bin", intake.Frames, "frame \x00\x00\x01{bin")
	}
	f(raw, 0, "{\x01\x7f", intake.Words, "whole {\x01\x7f 3 0 false") // sound
	f("", intake.Frames, "\x00\x00\x01{bin", intake.Frames, "frame \x00\x00\x01{bin")
	f("", intake.Frames, `{"message":"no"}`, intake.Document, `whole {"message":"no"} 16 0 false`)
	f("", 0, "\xef\xbb\xbf{\"a\":1}", intake.Document, `whole {"a":1} 7 0 false`)
	f("", 0, "\xef\xbb\xbfdata: 1\n\n", intake.Events, "event  1")
}

func TestLongBodiesKeepTheirEnds(t *testing.T) {
	body := `{"a":"` + strings.Repeat("x", 3<<20) + `","usage":1}`
	got, _ := take("", 0, body, 10000)
	if len(got) != 1 || !strings.HasSuffix(got[0], fmt.Sprintf("%d %d true", 1<<20, 64<<10)) {
		t.Errorf("%.300q", got)
	}
	lines := "{\"a\":\"" + strings.Repeat("x", 5<<20) + "\"}\n{\"b\":1}\n"
	if got, _ := take("", intake.Lines, lines, 100000); fmt.Sprint(got) != `[line {"b":1} problem response stream: 1 events were too large to be read]` {
		t.Errorf("%.300q", got)
	}
}

func FuzzBody(f *testing.F) {
	f.Add("data: a\n\nevent: b\r\ndata: c", uint8(0), uint8(1), uint8(0))
	f.Add("{\"a\":1}\n{}", uint8(3), uint8(2), uint8(0))
	f.Add("[{\"a\":\"]\"},[1]]", uint8(4), uint8(3), uint8(0))
	f.Add("data: {}\n\n", uint8(0), uint8(1), uint8(1))
	f.Add("\xef\xbb\xbf{}", uint8(0), uint8(1), uint8(2))
	headers := []string{"", "Content-Type: text/plain\r\n", "Content-Type: application/octet-stream\r\n"}
	f.Fuzz(func(t *testing.T, body string, want, step, media uint8) {
		header := headers[int(media)%len(headers)]
		g1, f1 := take(header, intake.Form(want%6), body, max(len(body), 1))
		g2, f2 := take(header, intake.Form(want%6), body, int(step)%16+1)
		if fmt.Sprint(g1) != fmt.Sprint(g2) || f1 != f2 {
			t.Fatalf("at once %d %q\nin pieces %d %q", f1, g1, f2, g2)
		}
	})
}

func TestRhythm(t *testing.T) {
	var r intake.Rhythm
	at := start
	for i := range 2000 {
		r.Piece(at)
		at = at.Add(time.Duration(10+i%100) * time.Millisecond)
	}
	c := r.Chunks()
	if c.Count != 2000 || c.GapMax != 109*time.Millisecond || c.GapMean < 59*time.Millisecond || c.GapMean > 60*time.Millisecond ||
		c.GapP95 < 95*time.Millisecond || c.GapP95 > 105*time.Millisecond || !r.First().Equal(start) {
		t.Errorf("%+v", c)
	}
}

func TestSqueeze(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		for _, step := range []int{1, 2, 5, 1 << 20} {
			x := &llm.Exchange{End: start}
			b := intake.New(x, 0, intake.Handler{Squeeze: true})
			for i := 0; i < len(body); i += step {
				b.Wrote([]byte(body[i:min(i+step, len(body))]), start)
			}
			b.Finish(x)
			if got, _, _ := b.Whole(); string(got) != want {
				t.Errorf("%s, step %d: %s, want %s", body, step, got, want)
			}
		}
	}
	f(`{"e":[[0.1,-2e-5, 3],[ -1 ,2]],"m":{"n":12}}`, `{"e":[[3],[ 2]],"m":{"n":12}}`)
	f(`{"e":[],"f":[1]}`, `{"e":[],"f":[1]}`)
	f(`{"t":"[1,2]","u":["[3","\"[4,5]"]}`, `{"t":"[1,2]","u":["[3","\"[4,5]"]}`)
	f(`{"mixed":[1,{"a":[1,2]},"[3,4]",null]}`, `{"mixed":[0,{"a":[2]},"[3,4]",null]}`)
	f(`{"cut":[1,2,3`, `{"cut":[`)
}

func TestRequest(t *testing.T) {
	f := func(x llm.Exchange, head, tail string, problems int) {
		t.Helper()
		c := &llm.Call{}
		h, e := intake.Request(c, &x)
		if string(h) != head || string(e) != tail || len(c.Problems) != problems {
			t.Errorf("%q %q %q, want %q %q and %d problems", h, e, c.Problems, head, tail, problems)
		}
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(`{"a":1}`))
	_ = w.Close()
	packed := llm.Header("Content-Encoding: gzip\r\n")
	f(llm.Exchange{}, "", "", 0)
	f(llm.Exchange{Request: llm.Body{Data: []byte(`{"a":1}`)}}, `{"a":1}`, "", 0)
	f(llm.Exchange{Request: llm.Body{Data: []byte(`{"a"}`), Head: 4, Truncated: true}}, `{"a"`, `}`, 1)
	f(llm.Exchange{Request: llm.Body{Data: []byte(`{"a"}`), Head: 99, Truncated: true}}, `{"a"}`, ``, 1)
	f(llm.Exchange{RequestHeader: packed, Request: llm.Body{Data: z.Bytes()}}, `{"a":1}`, "", 0)
	f(llm.Exchange{RequestHeader: packed, Request: llm.Body{Data: []byte("no")}}, "", "", 1)
}
