package providerstest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Session is a recorded WebSocket: its text messages in the order in which they
// were sent, and what an independent parser read from them.
type Session struct {
	Name     string
	Messages []SessionMessage
	Expected ExpectedSession
}

// SessionMessage is one text message, or the end of a connection that was made
// anew.
type SessionMessage struct {
	Caller bool // sent by the caller
	Data   []byte
	Code   uint16 // the provider closed with this code, and Data as its reason; 0 for text
}

// Connections returns the messages of each connection of the session.
func (s Session) Connections() (all [][]SessionMessage) {
	from := 0
	for i, m := range s.Messages {
		if m.Code != 0 {
			all, from = append(all, s.Messages[from:i+1]), i+1
		}
	}
	if from < len(s.Messages) {
		all = append(all, s.Messages[from:])
	}
	return all
}

// ExpectedSession is a recording's expected.json.
type ExpectedSession struct {
	Provider  string
	Session   string
	Models    []string
	Responses []struct{ ID, Status string }
	Usages    []json.RawMessage
	ToolCalls []struct {
		ID, Name  string
		Arguments json.RawMessage
	} `json:"tool_calls"`
	Errors []json.RawMessage
}

// Sessions returns the recorded WebSockets that keep selects. Where there are none
// the test is skipped, and says so.
func Sessions(t testing.TB, keep func(Session) bool) (all []Session) {
	t.Helper()
	root := dataDir(t)
	if root == "" {
		t.Skip("NOT TESTED: reading of recorded WebSockets. Set SPANWIRE_DATA to a folder that holds traffic/websockets, or put it at ../shared/data beside the repository")
	}
	files, err := filepath.Glob(filepath.Join(root, "traffic", "websockets", "*", "frames.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		s := Session{Name: filepath.Base(filepath.Dir(file))}
		parse(t, filepath.Join(filepath.Dir(file), "expected.json"), &s.Expected)
		if keep(s) {
			s.Messages = messages(t, file)
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		t.Fatalf("no WebSocket of the kind in %s", root)
	}
	return all
}

func messages(t testing.TB, file string) (ms []SessionMessage) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m struct {
			From   string
			Frame  json.RawMessage
			Code   uint16
			Reason string
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if m.From == "close" {
			ms = append(ms, SessionMessage{Code: m.Code, Data: []byte(m.Reason)})
			continue
		}
		ms = append(ms, SessionMessage{Caller: m.From == "client", Data: bytes.Clone(m.Frame)})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return ms
}

// Frame writes a message as one frame, masked when the caller sends it.
func (m SessionMessage) Frame() []byte {
	out := []byte{0x81, 0}
	if m.Code != 0 {
		out[0] = 0x88
		m.Data = append(binary.BigEndian.AppendUint16(nil, m.Code), m.Data...)
	}
	switch n := len(m.Data); {
	case n < 126:
		out[1] = byte(n)
	case n < 1<<16:
		out[1] = 126
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	default:
		out[1] = 127
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	if !m.Caller {
		return append(out, m.Data...)
	}
	out[1] |= 0x80
	mask := [4]byte{0xa5, 0x01, 0x7f, 0x3c}
	out = append(out, mask[:]...)
	for i, c := range m.Data {
		out = append(out, c^mask[i&3])
	}
	return out
}

// Duplex reads a connection that both sides use, as the dialects' readers do.
type Duplex interface {
	Reader
	Sent(p []byte, at time.Time)
}

// ReadSession plays messages to the reader of an exchange, each frame in pieces of
// n bytes, a second apart, and returns the call of the exchange and those within it
// in the order in which they ended.
func (d Dialect) ReadSession(t testing.TB, x *llm.Exchange, ms []SessionMessage, n int) (around *llm.Call, within []*llm.Call) {
	t.Helper()
	x.Status = 101
	x.Emit = func(call *llm.Exchange) {
		call.Method, call.Target, call.UpstreamTarget, call.Host, call.Status = x.Method, x.Target, x.UpstreamTarget, x.Host, x.Status
		c := &llm.Call{Kind: llm.KindHTTP, Start: call.Start, End: call.End, Ended: call.Ended, Status: call.Status}
		if err := d.ReadRequest(c, call); err != nil {
			t.Error(err)
		}
		if err := call.Observer.(Reader).Finish(c, call); err != nil {
			t.Error(err)
		}
		within = append(within, c)
	}
	r, ok := d.NewReader(x).(Duplex)
	if !ok {
		t.Fatal("the reader of a WebSocket does not see both sides")
	}
	at := x.Start
	for _, m := range ms {
		at = at.Add(time.Second)
		for _, p := range Cut(m.Frame(), n) {
			if m.Caller {
				r.Sent(p, at)
			} else {
				r.Wrote(p, at)
			}
			for i := range p {
				p[i] = '#'
			}
		}
	}
	x.End = at
	around = &llm.Call{Kind: llm.KindHTTP, Start: x.Start, End: x.End, Ended: x.Ended, Status: x.Status}
	if err := d.ReadRequest(around, x); err != nil {
		t.Error(err)
	}
	if err := r.Finish(around, x); err != nil {
		t.Error(err)
	}
	return around, within
}
