package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
)

// packer compresses the messages of one side, as permessage-deflate has it (RFC 7692
// section 7.2.1). Its context goes on from message to message where keep is set.
type packer struct {
	caller, keep bool
	buf          bytes.Buffer
	w            *flate.Writer
}

func (p *packer) frame(t *testing.T, text string) []byte {
	t.Helper()
	p.buf.Reset()
	if p.w == nil || !p.keep {
		w, err := flate.NewWriter(&p.buf, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		p.w = w
	}
	if _, err := io.WriteString(p.w, text); err != nil {
		t.Fatal(err)
	}
	if err := p.w.Flush(); err != nil {
		t.Fatal(err)
	}
	data := bytes.TrimSuffix(p.buf.Bytes(), []byte{0, 0, 0xff, 0xff})
	f := providerstest.SessionMessage{Caller: p.caller, Data: data}.Frame()
	f[0] |= 0x40 // it is compressed
	return f
}

// What caller and provider agree on compressing passes as it is, and is read all the
// same.
func TestCompressedSession(t *testing.T) {
	for extension, keep := range map[string]bool{
		"permessage-deflate": true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": false,
	} {
		t.Run(extension, func(t *testing.T) {
			caller, provider := packer{caller: true, keep: keep}, packer{keep: keep}
			asked := caller.frame(t, `{"type":"response.create","response":{"instructions":"Be brief."}}`)
			var said []byte
			for _, event := range []string{
				`{"type":"response.created","event_id":"e1","response":{"id":"resp_1","object":"realtime.response","status":"in_progress","output":[]}}`,
				`{"type":"response.output_text.delta","event_id":"e2","response_id":"resp_1","item_id":"i1","output_index":0,"content_index":0,"delta":"hello"}`,
				`{"type":"response.done","event_id":"e3","response":{"id":"resp_1","object":"realtime.response","status":"completed","output":[{"id":"i1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hello"}]}],"usage":{"total_tokens":12,"input_tokens":7,"output_tokens":5}}}`,
			} {
				said = append(said, provider.frame(t, event)...)
			}
			again := append(caller.frame(t, `{"type":"response.create"}`), "\x88\x80\x00\x00\x00\x00"...)

			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			heard := make(chan string, 1)
			go func() {
				defer close(heard)
				c, err := ln.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				in := bufio.NewReader(c)
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: %s\r\n\r\n", extension)
				first := make([]byte, len(asked))
				_, _ = io.ReadFull(in, first)
				_, _ = c.Write(said)
				rest, _ := io.ReadAll(in)
				heard <- string(first) + string(rest)
			}()
			defer ln.Close()

			p := start(t, "providers: [{name: openai, base_url: 'http://"+ln.Addr().String()+"'}]\n")
			c, err := net.Dial("tcp", p.at.proxy)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			io.WriteString(c, "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
			in := bufio.NewReader(c)
			resp, err := http.ReadResponse(in, &http.Request{Method: "GET"})
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Extensions") != extension {
				t.Fatalf("no connection: %v %+v", err, resp)
			}
			_, _ = c.Write(asked)
			got := make([]byte, len(said))
			if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, said) {
				t.Errorf("frames came as other bytes than were sent (%v)", err)
			}
			_, _ = c.Write(again)
			c.Close()
			if h := <-heard; h != string(asked)+string(again) {
				t.Error("the provider got other bytes than were sent")
			}
			p.stop(t)
			_, within := p.calls.session(t, []string{resp.Header.Get("X-Spanwire-Call-Id")})
			if len(within) == 0 {
				t.Fatal("no response was read")
			}
			call := within[0]
			if n, ok := call.Usage.Input(); !ok || n != 7 || len(call.Output) != 1 || !strings.Contains(fmt.Sprint(call.Output), "hello") || len(call.Problems) > 0 {
				t.Errorf("read %+v", call)
			}
		})
	}
}
