package callrecord_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
)

// Messages, parts and tools come back one by one as they were, whatever is in them.
// (That every field of a call comes back is tested where calls are kept.)
func TestPiecesComeBack(t *testing.T) {
	var e callrecord.Encoder
	checked := 0
	for _, c := range append(sinktest.Hostile(), sinktest.Call(1)) {
		for i := range c.Input[:min(len(c.Input), 100)] {
			var b bytes.Buffer
			if err := e.Message(&b, &c.Input[i]); err != nil {
				t.Fatal(err)
			}
			m, err := callrecord.DecodeMessage(b.Bytes())
			if err != nil || !reflect.DeepEqual(m, c.Input[i]) {
				t.Errorf("message %+v: %v", c.Input[i], err)
			}
			b.Reset()
			if err := e.Parts(&b, c.Input[i].Parts); err != nil {
				t.Fatal(err)
			}
			ps, err := callrecord.DecodeParts(b.Bytes())
			if err != nil || len(ps) != len(c.Input[i].Parts) || len(ps) > 0 && !reflect.DeepEqual(ps, c.Input[i].Parts) {
				t.Errorf("parts %+v: %v", c.Input[i].Parts, err)
			}
			checked++
		}
		for i := range c.Tools {
			var b bytes.Buffer
			if err := e.Tool(&b, &c.Tools[i]); err != nil {
				t.Fatal(err)
			}
			if tool, err := callrecord.DecodeTool(b.Bytes()); err != nil || tool != c.Tools[i] {
				t.Errorf("tool %+v: %v", c.Tools[i], err)
			}
		}
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

// FuzzPieces decodes any bytes; what can be decoded is encoded and is the same.
func FuzzPieces(f *testing.F) {
	var e callrecord.Encoder
	var b bytes.Buffer
	if err := e.Message(&b, &sinktest.Call(1).Input[0]); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var e callrecord.Encoder
		_, _ = callrecord.DecodeParts(data)
		_, _ = callrecord.DecodeTool(data)
		if c, err := callrecord.DecodeFacts(data); err == nil {
			_ = callrecord.DecodeSaid(data, c)
		}
		m, err := callrecord.DecodeMessage(data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := e.Message(&b, &m); err != nil {
			t.Fatal(err)
		}
		again, err := callrecord.DecodeMessage(b.Bytes())
		if err != nil || !reflect.DeepEqual(clean(again), clean(m)) {
			t.Errorf("%+v became %+v: %v", m, again, err)
		}
	})
}

func clean(m llm.Message) llm.Message {
	if len(m.Parts) == 0 {
		m.Parts = nil
	}
	return m
}
