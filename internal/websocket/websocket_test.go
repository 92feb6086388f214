package websocket_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/websocket"
)

// frame encodes one frame; b0 is its first byte.
func frame(b0 byte, masked bool, payload string) string {
	b := []byte{b0}
	m := byte(0)
	if masked {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	body := []byte(payload)
	if masked {
		key := []byte{0x12, 0x34, 0x56, 0x78}
		b = append(b, key...)
		for i := range body {
			body[i] ^= key[i&3]
		}
	}
	return string(b) + string(body)
}

// read splits s, fed in pieces of step bytes.
func read(sp websocket.Splitter, s string, step int) (got []string, err error) {
	for len(s) > 0 && err == nil {
		n := min(step, len(s))
		sp.Feed([]byte(s[:n]))
		s = s[n:]
		for {
			m, ok, e := sp.Next()
			if e != nil {
				err = e
			}
			if !ok {
				break
			}
			got = append(got, fmt.Sprintf("%d:%d:%s", m.Opcode, m.Size, m.Data))
		}
	}
	return got, err
}

func TestMessages(t *testing.T) {
	long := strings.Repeat("é", 40000)
	for _, masked := range []bool{false, true} {
		s := frame(0x81, masked, "hello") + frame(0x81, masked, "") + frame(0x01, masked, "in ") + frame(0x89, masked, "ping") +
			frame(0x00, masked, "three ") + frame(0x80, masked, "parts") + frame(0x82, masked, long) + frame(0x88, masked, "\x03\xe8bye")
		want := []string{"1:5:hello", "1:0:", "9:4:ping", "1:14:in three parts", fmt.Sprintf("2:%d:%s", len(long), long), "8:5:\x03\xe8bye"}
		for _, step := range []int{1, 2, 7, 333, 1 << 20} {
			got, err := read(websocket.Splitter{}, s, step)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("masked %v, step %d: %v, %d messages", masked, step, err, len(got))
			}
		}
	}
}

func TestLongMessagesAreToldWithoutTheirData(t *testing.T) {
	s := frame(0x01, true, strings.Repeat("x", 900)) + frame(0x80, true, strings.Repeat("y", 200)) + frame(0x81, true, "next")
	for _, step := range []int{1, 64, 1 << 20} {
		got, err := read(websocket.Splitter{Limit: 1000}, s, step)
		if err != nil || fmt.Sprint(got) != "[1:1100: 1:4:next]" {
			t.Errorf("step %d: %v %.100v", step, err, got)
		}
	}
}

func TestCompressedMessages(t *testing.T) {
	texts := []string{"hello hello hello", "", strings.Repeat("hello again ", 5000), "hello"}
	for _, keep := range []bool{true, false} {
		var z bytes.Buffer
		w, err := flate.NewWriter(&z, 6)
		if err != nil {
			t.Fatal(err)
		}
		var s string
		var want []string
		for _, text := range texts {
			if !keep {
				w.Reset(&z)
			}
			z.Reset()
			_, _ = w.Write([]byte(text))
			_ = w.Flush()
			packed := strings.TrimSuffix(z.String(), "\x00\x00\xff\xff")
			s += frame(0xc1, true, packed)
			want = append(want, fmt.Sprintf("1:%d:%s", len(packed), text))
		}
		ext := "permessage-deflate; client_max_window_bits=15"
		if !keep {
			ext += "; client_no_context_takeover"
		}
		client, server := websocket.Agreed(ext)
		if server.KeepContext != true || client.KeepContext != keep || !server.Deflate {
			t.Errorf("agreed on %+v %+v", client, server)
		}
		for _, step := range []int{1, 100, 1 << 20} {
			got, err := read(client, s, step)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("keep %v step %d: %v\n%.200v\n%.200v", keep, step, err, got, want)
			}
		}
		// A bomb is told without its data.
		client.Limit = 10000
		if got, err := read(client, s, 1000); err != nil || len(got) != 4 || len(got[2]) > 20 {
			t.Errorf("bomb: %v, %d messages", err, len(got))
		}
	}
}

func TestMalformedFrames(t *testing.T) {
	for name, s := range map[string]string{
		"reserved bits":             frame(0x91, false, "x"),
		"compressed, not agreed on": frame(0xc1, false, "x"),
		"continuation of nothing":   frame(0x80, false, "x"),
		"message within a message":  frame(0x01, false, "x") + frame(0x81, false, "y"),
		"unknown opcode":            frame(0x83, false, "x"),
		"unknown control":           frame(0x8b, false, "x"),
		"fragmented ping":           frame(0x09, false, "x"),
		"long ping":                 frame(0x89, false, strings.Repeat("x", 126)),
		"negative length":           "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if got, err := read(websocket.Splitter{}, s+frame(0x81, false, "later"), 3); err != websocket.ErrFrame || len(got) != 0 {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

// However the bytes are cut, the messages are the same.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte(frame(0x81, true, "hello")+frame(0x09, false, "x")), uint8(3), true)
	f.Add([]byte(frame(0x01, false, "a")+frame(0x89, true, "p")+frame(0x80, false, "b")), uint8(1), false)
	f.Add([]byte(frame(0xc1, true, "\xf2\x48\xcd\xc9\xc9\x07\x00")), uint8(2), true)
	f.Fuzz(func(t *testing.T, b []byte, step uint8, deflate bool) {
		sp := websocket.Splitter{Limit: 4096, Deflate: deflate, KeepContext: deflate}
		g1, e1 := read(sp, string(b), max(len(b), 1))
		g2, e2 := read(sp, string(b), int(step)%32+1)
		if fmt.Sprint(g1) != fmt.Sprint(g2) || e1 != e2 {
			t.Fatalf("%v %v\n%v %v", g1, e1, g2, e2)
		}
	})
}
