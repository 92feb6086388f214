package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// sessionTargets are where the recorded WebSockets were opened, by what their names
// begin with. The recordings do not tell.
var sessionTargets = []struct{ name, row, target string }{
	{"ws-azure-voicelive", "azure-ai", "/voice-live/realtime?api-version=2025-10-01&model=gpt-realtime"},
	{"ws-azure", "azure", "/openai/v1/realtime?model=gpt-realtime"},
	{"ws-google", "gemini", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=no-key"},
	{"ws-", "", "/v1/realtime?model=asked"},
}

func sessionTarget(s providerstest.Session) (row, target string) {
	for _, at := range sessionTargets {
		if strings.HasPrefix(s.Name, at.name) {
			return cmp.Or(at.row, s.Expected.Provider), at.target
		}
	}
	return s.Expected.Provider, "/v1/realtime"
}

// script is what both ends of a connection do: each writes its own messages in
// pieces of so many bytes, and expects those of the other as they were sent.
type script struct {
	messages []providerstest.SessionMessage
	piece    int
	broken   bool // into frames, with a ping between
	cut      int  // messages after which the provider is gone; 0 is never

	fields string // more header lines of the caller
}

// frames are the bytes of a message on the wire.
func (s script) frames(m providerstest.SessionMessage) []byte {
	if !s.broken || m.Code != 0 || len(m.Data) < 3 {
		return m.Frame()
	}
	third := len(m.Data) / 3
	var out []byte
	for i, part := range [][]byte{m.Data[:third], m.Data[third : 2*third], m.Data[2*third:]} {
		f := providerstest.SessionMessage{Caller: m.Caller, Data: part}.Frame()
		if f[0] = 0; i == 0 {
			f[0] = 1 // text, not the last
		} else if i == 2 {
			f[0] = 0x80 // the last
		}
		out = append(out, f...)
		ping := providerstest.SessionMessage{Caller: m.Caller, Data: []byte("still there?")}.Frame()
		if ping[0] = 0x89; i < 2 {
			out = append(out, ping...)
		}
	}
	return out
}

// play is one end of the connection.
func (s script) play(c net.Conn, in *bufio.Reader, caller bool) error {
	for i, m := range s.messages {
		if s.cut > 0 && i == s.cut {
			if caller {
				return ended(in)
			}
			return c.Close()
		}
		frames := s.frames(m)
		if m.Caller == caller {
			if err := s.write(c, frames); err != nil {
				return fmt.Errorf("write message %d: %w", i, err)
			}
			continue
		}
		got := make([]byte, len(frames))
		if _, err := io.ReadFull(in, got); err != nil {
			return fmt.Errorf("read message %d: %w", i, err)
		}
		if !bytes.Equal(got, frames) {
			return fmt.Errorf("message %d came as other bytes than were sent", i)
		}
	}
	if caller {
		return c.Close()
	}
	return ended(in)
}

// ended waits for the end of a connection, before which nothing more may come.
func ended(in *bufio.Reader) error {
	if rest, err := io.ReadAll(in); len(rest) > 0 {
		return fmt.Errorf("%d bytes too many, %v", len(rest), err)
	}
	return nil
}

// write writes in pieces; of very many the later ones go several at once.
func (s script) write(c net.Conn, p []byte) error {
	for i, piece := range providerstest.Cut(p, s.piece) {
		if i >= 300 {
			_, err := c.Write(p[i*s.piece:])
			return err
		}
		if _, err := c.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// speaker is a provider that plays one script a connection.
type speaker struct {
	ln      net.Listener
	scripts chan script
	done    chan error
}

func newSpeaker(t *testing.T) *speaker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &speaker{ln, make(chan script, 1), make(chan error, 1)}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.done <- s.talk(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-stopped
	})
	return s
}

func (s *speaker) talk(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	if _, err := http.ReadRequest(in); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"); err != nil {
		return err
	}
	return (<-s.scripts).play(c, in, false)
}

// converse plays a script through the proxy and returns the id of the call around it.
func (p *program) converse(t *testing.T, with *speaker, row, target string, s script) string {
	t.Helper()
	c, err := net.Dial("tcp", p.at.proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET /%s%s HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", row, target, s.fields)
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, &http.Request{Method: "GET"})
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") == "" {
		t.Fatalf("no connection: %v %+v", err, resp)
	}
	with.scripts <- s
	if err := s.play(c, in, true); err != nil {
		t.Errorf("caller: %v", err)
	}
	if err := <-with.done; err != nil {
		t.Errorf("provider: %v", err)
	}
	return resp.Header.Get("X-Spanwire-Call-Id")
}

// TestSessions tunnels every recorded WebSocket, frame by frame in both directions,
// in pieces of several sizes: both ends get the frames as they were sent, and the
// calls within say what is known of them.
func TestSessions(t *testing.T) {
	recordings(t)
	all := providerstest.Sessions(t, func(providerstest.Session) bool { return true })
	with := newSpeaker(t)
	var rows strings.Builder
	rows.WriteString("providers:\n")
	for _, name := range []string{"openai", "azure", "azure-ai", "xai", "gemini"} {
		fmt.Fprintf(&rows, "  - {name: %s, base_url: 'http://%s'}\n", name, with.ln.Addr())
	}
	pieces := []int{7, 4096}
	if *everything {
		pieces = []int{1, 7, 13, 333, 4096}
	}
	for _, s := range all {
		// A run of its own: when it has ended, all its calls are recorded.
		passed := t.Run(s.Name, func(t *testing.T) {
			p := start(t, rows.String())
			row, target := sessionTarget(s)
			var ids [][]string
			for _, piece := range pieces {
				for _, broken := range []bool{false, true} {
					var of []string
					for _, c := range s.Connections() {
						of = append(of, p.converse(t, with, row, target, script{messages: c, piece: piece, broken: broken}))
					}
					ids = append(ids, of)
				}
			}
			p.stop(t)
			for _, of := range ids {
				around, within := p.calls.session(t, of)
				for _, d := range providerstest.SessionDifferences(around, within, s) {
					if d.Why == "" {
						t.Error(d)
					} else {
						scores.explain(s.Name, d)
					}
				}
			}
		})
		passed = t.Run(s.Name+"/cut", func(t *testing.T) { cutSession(t, rows.String(), with, s) }) && passed
		row, _ := sessionTarget(s)
		scores.add(row, "websocket", passed)
	}
}

// cutSession breaks a session off after many of its messages: the caller sees it, and
// a response under way is recorded as it stood.
func cutSession(t *testing.T, rows string, with *speaker, s providerstest.Session) {
	p := start(t, rows)
	row, target := sessionTarget(s)
	messages := s.Connections()[0]
	step := max(1, len(messages)/4)
	if *everything {
		step = max(1, len(messages)/16)
	}
	var ids []string
	for k := 1; k < len(messages); k += step {
		ids = append(ids, p.converse(t, with, row, target, script{messages: messages, piece: 4096, cut: k}))
	}
	p.stop(t)
	for i, id := range ids {
		around, within := p.calls.session(t, []string{id})
		if around[0].Ended != llm.EndUpstreamCut || around[0].ErrorType != string(llm.EndUpstreamCut) {
			t.Errorf("cut %d: ended %s, error %q", i, around[0].Ended, around[0].ErrorType)
		}
		for _, c := range within {
			if c.Ended != llm.EndComplete && c.Ended != llm.EndUpstreamCut {
				t.Errorf("cut %d: a call ended %s", i, c.Ended)
			}
			if c.Ended != llm.EndComplete && c.Usage.Source == llm.UsageReported {
				t.Errorf("cut %d: usage of a response that was not done: %s", i, c.UsageRaw)
			}
		}
	}
}

// session returns the calls around connections and those within them, in the order
// in which they ended. The run has ended: all are there.
func (c *captured) session(t *testing.T, ids []string) (around, within []*llm.Call) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		n := len(around)
		for _, call := range c.calls {
			if call.ID == id {
				around = append(around, call)
			} else if call.Place.ParentCall == id {
				within = append(within, call)
			}
		}
		if len(around) != n+1 {
			t.Fatalf("call %s was not recorded", id)
		}
	}
	slices.SortStableFunc(within, func(a, b *llm.Call) int { return a.End.Compare(b.End) })
	return around, within
}
