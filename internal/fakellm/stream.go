package fakellm

import (
	"bufio"
	"io"
	"net"
	"net/http/httputil"
	"strconv"

	"github.com/valyala/fasthttp"
)

// delta is what one chunk adds to a message. Pointers tell an absent field from
// an empty one, as OpenAI's first chunk has them.
type delta struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	Refusal   *string    `json:"refusal,omitempty"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	ToolCalls []callBody `json:"tool_calls,omitempty"`
}

// chunkBody is a chatBody whose usage is null, and not absent, in every chunk
// but the last once usage was asked for.
type chunkBody struct {
	chatBody
	Usage *usage `json:"usage"`
}

// chatEvents returns the data of each event of a streamed chat answer.
func (a *answer) chatEvents(r *chatRequest, b behaviour) []string {
	var out []string
	base := a.chatBody("chat.completion.chunk", r.ServiceTier)
	ask := r.StreamOptions.IncludeUsage
	add := func(i int, d delta, finish *string) {
		c := base
		c.Choices = []choice{{Index: i, Delta: &d, FinishReason: finish}}
		if ask {
			out = append(out, string(marshal(chunkBody{chatBody: c})))
			return
		}
		out = append(out, string(marshal(c)))
	}
	deltas := a.deltas()
	choices := r.choices()
	for _, d := range deltas { // choices interleave, as they do on the wire
		for i := range choices {
			add(i, d, nil)
		}
	}
	if b.midway {
		return append(out[:len(out)/2+1], string(marshal(map[string]apiError{
			"error": {Message: "The server had an error while processing your request.", Type: "server_error", Code: "server_error"},
		})))
	}
	for i := range choices {
		add(i, delta{}, &a.finish)
	}
	if ask && a.usage != nil {
		out = append(out, string(marshal(chunkBody{chatBody: base, Usage: a.usage})))
	}
	return append(out, "[DONE]")
}

// deltas cuts a message into the pieces that a stream brings.
func (a *answer) deltas() []delta {
	empty := ""
	first := delta{Role: "assistant", Content: &empty}
	var out []delta
	for _, p := range pieces(a.reasoning) {
		out = append(out, delta{Reasoning: p})
	}
	for _, p := range pieces(a.text) {
		out = append(out, delta{Content: &p})
	}
	for _, p := range pieces(a.refusal) {
		out = append(out, delta{Refusal: &p})
	}
	for i, c := range a.calls {
		out = append(out, delta{ToolCalls: []callBody{{Index: &i, ID: c.id, Type: "function", Function: functionBody{Name: c.name}}}})
		for args := c.arguments; args != ""; {
			n := min(6, len(args))
			out = append(out, delta{ToolCalls: []callBody{{Index: &i, Function: functionBody{Arguments: args[:n]}}}})
			args = args[n:]
		}
	}
	return append([]delta{first}, out...)
}

// stream sends events as server-sent events, one write an event.
func (s *Server) stream(ctx *fasthttp.RequestCtx, model string, b behaviour, events []string) {
	ctx.Response.Header.SetContentType("text/event-stream; charset=utf-8")
	ctx.Response.Header.Set("Cache-Control", "no-cache")
	if b.cut {
		s.breakOff(ctx, b, func(w io.Writer) {
			body := httputil.NewChunkedWriter(w)
			s.events(model, events[:len(events)/2], func(event string) error {
				_, err := io.WriteString(body, event)
				return err
			})
		}, "Transfer-Encoding: chunked")
		return
	}
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		s.events(model, events, func(event string) error {
			if _, err := w.WriteString(event); err != nil {
				return err
			}
			return w.Flush()
		})
	})
}

// events hands each event to write, at the configured pace, until one fails.
func (s *Server) events(model string, events []string, write func(string) error) {
	for i, e := range events {
		if i > 0 {
			s.pause(s.cfg.Between)
		}
		if s.cfg.Gate != nil {
			s.cfg.Gate(model, i)
		}
		if write("data: "+e+"\n\n") != nil {
			return // the caller hung up
		}
	}
}

// send answers with a whole body, or with half of it when the behaviour is to cut.
func (s *Server) send(ctx *fasthttp.RequestCtx, b behaviour, body []byte) {
	if !b.cut {
		ctx.SetBody(body)
		return
	}
	s.breakOff(ctx, b, func(w io.Writer) { w.Write(body[:len(body)/2]) }, "Content-Length: "+strconv.Itoa(len(body)))
}

// breakOff takes the connection over, writes a head with the given framing and
// what write gives, and ends the connection there.
func (s *Server) breakOff(ctx *fasthttp.RequestCtx, b behaviour, write func(io.Writer), framing string) {
	head := "HTTP/1.1 200 OK\r\nContent-Type: " + string(ctx.Response.Header.ContentType()) + "\r\n" + framing + "\r\n\r\n"
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		io.WriteString(c, head)
		write(c)
		if t, ok := tcpConn(c); ok && b.reset {
			t.SetLinger(0) // closing then sends RST
		}
	})
}

// tcpConn returns the TCP connection inside what fasthttp hands to a hijacker.
func tcpConn(c net.Conn) (*net.TCPConn, bool) {
	if u, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		c = u.UnsafeConn()
	}
	t, ok := c.(*net.TCPConn)
	return t, ok
}
