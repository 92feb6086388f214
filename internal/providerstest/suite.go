// Package providerstest is the suite that every dialect must pass, and the loader
// of the recordings it is judged by.
package providerstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Reader reads one response, as the dialects' readers do.
type Reader interface {
	Wrote(p []byte, at time.Time)
	Finish(*llm.Call, *llm.Exchange) error
}

// Dialect is what the suite tests.
type Dialect struct {
	ReadRequest func(*llm.Call, *llm.Exchange) error
	NewReader   func(*llm.Exchange) Reader
}

// Fixture is one exchange, small enough to be cut at every byte.
type Fixture struct {
	Name           string
	Method         string // "" means POST
	Host           string
	Target         string
	RequestHeader  llm.Header
	Request        []byte
	Status         int // 0 means 200
	ResponseHeader llm.Header
	Response       []byte
}

// start is when every exchange of the suite begins.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func exchange(f Fixture) *llm.Exchange {
	if f.Method == "" {
		f.Method = "POST"
	}
	if f.Status == 0 {
		f.Status = 200
	}
	return &llm.Exchange{
		ID: "01930000-0000-7000-8000-000000000000", Method: f.Method, Target: f.Target, UpstreamTarget: f.Target,
		Scheme: "https", Host: f.Host, Port: 443,
		RequestHeader: f.RequestHeader, ResponseHeader: f.ResponseHeader, Status: f.Status,
		Request:  llm.Body{Data: f.Request, Size: int64(len(f.Request))},
		Response: llm.Body{Size: int64(len(f.Response))},
		Start:    start, Sent: start, FirstByte: start.Add(time.Second), FirstWrite: start.Add(time.Second), End: start.Add(2 * time.Second),
		Ended: llm.EndComplete,
	}
}

// Exchange returns the exchange of a fixture, without its response body.
func (f Fixture) Exchange() *llm.Exchange { return exchange(f) }

// Read reads an exchange with its response in pieces, all of which come at once.
// The pieces are overwritten after they were shown, as the relay does.
func (d Dialect) Read(x *llm.Exchange, pieces ...[]byte) (*llm.Call, error) {
	c := &llm.Call{Kind: llm.KindHTTP, Start: x.Start}
	reqErr := d.ReadRequest(c, x)
	r := d.NewReader(x)
	for _, p := range pieces {
		own := bytes.Clone(p)
		r.Wrote(own, x.FirstByte)
		for i := range own {
			own[i] = '#'
		}
	}
	if err := r.Finish(c, x); err != nil {
		return c, err
	}
	return c, reqErr
}

// Cut cuts a body into pieces of n bytes.
func Cut(body []byte, n int) (pieces [][]byte) {
	for len(body) > 0 {
		k := min(n, len(body))
		pieces, body = append(pieces, body[:k]), body[k:]
	}
	return pieces
}

// Show renders a call so that two can be compared.
func Show(c *llm.Call) string {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Sprintf("not representable: %v", err)
	}
	shown := string(b) + "\n" + kinds(c.Usage)
	for i := range c.Steps {
		shown += kinds(c.Steps[i].Usage)
	}
	return shown
}

func kinds(u llm.Usage) string {
	var told []string
	for _, k := range llm.UsageKinds() {
		if n, ok := u.Get(k); ok {
			told = append(told, fmt.Sprintf("%s=%d", k, n))
		}
	}
	return strings.Join(told, " ") + "\n"
}

// Run runs the suite: whatever is done to the bytes of a fixture, the dialect
// answers, and says what it could not read.
func Run(t *testing.T, d Dialect, fixtures []Fixture) {
	t.Helper()
	before := runtime.NumGoroutine()
	targets := map[string]bool{}
	for _, f := range fixtures {
		t.Run(f.Name, func(t *testing.T) {
			t.Run("any cut reads the same", func(t *testing.T) { anyCut(t, d, f) })
			t.Run("cut-off response", func(t *testing.T) { cutResponse(t, d, f) })
			t.Run("cut-off request", func(t *testing.T) { cutRequest(t, d, f) })
			t.Run("unknown fields", func(t *testing.T) { unknownFields(t, d, f) })
			t.Run("garbage", func(t *testing.T) { garbage(t, d, f) })
			if !targets[f.Target] { // nothing of the fixture but its address matters here
				targets[f.Target] = true
				t.Run("nesting", func(t *testing.T) { nesting(t, d, f) })
				t.Run("error pages", func(t *testing.T) { errorPages(t, d, f) })
			}
		})
	}
	// The goroutine of a subtest ends a moment after it has told its result.
	for range 100_000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines were left running", runtime.NumGoroutine()-before)
}

func whole(t *testing.T, d Dialect, f Fixture) string {
	t.Helper()
	c, err := d.Read(exchange(f), f.Response)
	if err != nil {
		t.Fatalf("read the fixture itself: %v", err)
	}
	return Show(c)
}

func anyCut(t *testing.T, d Dialect, f Fixture) {
	want := whole(t, d, f)
	check := func(what string, pieces ...[]byte) {
		c, err := d.Read(exchange(f), pieces...)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := Show(c); got != want {
			t.Fatalf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	for _, n := range []int{1, 2, 3, 7, 13, 333} {
		check(fmt.Sprintf("pieces of %d", n), Cut(f.Response, n)...)
	}
	for k := range f.Response {
		check(fmt.Sprintf("cut at %d", k), f.Response[:k], f.Response[k:])
	}
}

// cutResponse: what was seen of a broken answer is read, and nothing that was not
// said is made up.
func cutResponse(t *testing.T, d Dialect, f Fixture) {
	all, err := d.Read(exchange(f), f.Response)
	if err != nil {
		t.Fatal(err)
	}
	for k := range f.Response {
		x := exchange(f)
		x.Ended, x.Err, x.Response.Size = llm.EndUpstreamCut, "unexpected EOF", int64(k)
		c, err := d.Read(x, f.Response[:k])
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", k, err)
		}
		if len(c.Output) > len(all.Output) {
			t.Fatalf("cut after %d bytes: %d choices of %d", k, len(c.Output), len(all.Output))
		}
		for i := range c.Output {
			for j, p := range c.Output[i].Parts {
				if !prefixOfAny(p, all.Output) {
					t.Fatalf("cut after %d bytes: choice %d part %d says %q, which was never said", k, i, j, p.Content+p.Arguments)
				}
			}
		}
	}
}

func prefixOfAny(p llm.Part, ms []llm.Message) bool {
	for _, m := range ms {
		for _, q := range m.Parts {
			if q.Type == p.Type && strings.HasPrefix(q.Content, strings.TrimRight(p.Content, "\ufffd")) && strings.HasPrefix(q.Arguments, strings.TrimRight(p.Arguments, "\ufffd")) {
				return true
			}
		}
	}
	return false
}

// cutRequest: a request whose copy was cut reads as far as it goes.
func cutRequest(t *testing.T, d Dialect, f Fixture) {
	for k := range f.Request {
		x := exchange(f)
		x.Request.Data = f.Request[:k]
		c, _ := d.Read(x, f.Response)
		if c == nil {
			t.Fatalf("cut after %d bytes: no call", k)
		}
		for tail := 0; tail <= len(f.Request)-k; tail += 1 + len(f.Request)/3 {
			x := exchange(f)
			x.Request.Data = append(bytes.Clone(f.Request[:k]), f.Request[len(f.Request)-tail:]...)
			x.Request.Head, x.Request.Truncated = k, true
			c, err := d.Read(x, f.Response)
			if err != nil {
				t.Fatalf("head of %d and tail of %d bytes: %v", k, tail, err)
			}
			if k > 0 && len(c.Problems) == 0 {
				t.Fatalf("head of %d and tail of %d bytes: nobody is told", k, tail)
			}
		}
	}
}

// unknownFields: fields that nobody knows are passed over, wherever they stand.
func unknownFields(t *testing.T, d Dialect, f Fixture) {
	known, err := d.Read(exchange(f), f.Response)
	if err != nil {
		t.Fatalf("read the fixture itself: %v", err)
	}
	known.RequestBytes, known.ResponseBytes = 0, 0
	want := Show(known)
	const strange = `"x_strange":{"usage":{"deep":[1,{"choices":"\"}]"}]},"t":"é\n","n":-1.5e+300,"b":null},`
	g := f
	g.Response = insertFields(f.Response, strange)
	g.Request = insertFields(f.Request, strange)
	c, err := d.Read(exchange(g), Cut(g.Response, 11)...)
	if err != nil {
		t.Fatal(err)
	}
	c.RequestBytes, c.ResponseBytes = 0, 0
	if got := Show(c); got != want {
		t.Fatalf("with unknown fields:\n%s\nwant\n%s", got, want)
	}
}

// insertFields puts fields into every JSON object that begins a line or the data
// of an event and is not empty.
func insertFields(body []byte, fields string) []byte {
	var out []byte
	for _, line := range bytes.SplitAfter(body, []byte("\n")) {
		at := 0
		for _, prefix := range []string{"data: ", "data:"} {
			if bytes.HasPrefix(line, []byte(prefix)) {
				at = len(prefix)
				break
			}
		}
		if first := len(out) == 0 || at > 0; first && at < len(line) && bytes.HasPrefix(line[at:], []byte(`{"`)) {
			out = append(append(append(out, line[:at+1]...), fields...), line[at+1:]...)
			continue
		}
		out = append(out, line...)
	}
	return out
}

// garbage: damaged bodies are read without a panic, and give a call.
func garbage(t *testing.T, d Dialect, f Fixture) {
	r := rand.New(rand.NewPCG(1, uint64(len(f.Response))))
	damage := func(b []byte) []byte {
		b = bytes.Clone(b)
		for range 1 + r.IntN(8) {
			if len(b) == 0 {
				break
			}
			i := r.IntN(len(b))
			switch r.IntN(4) {
			case 0:
				b[i] = byte(r.IntN(256))
			case 1:
				b = append(b[:i], b[min(len(b), i+1+r.IntN(20)):]...)
			case 2:
				b = append(b, b[i:]...)
			default:
				b[i] = `{}[]":,\0`[r.IntN(9)]
			}
		}
		return b
	}
	for range 200 {
		x := exchange(f)
		x.Request.Data = damage(f.Request)
		if c, _ := d.Read(x, Cut(damage(f.Response), 1+r.IntN(50))...); c == nil {
			t.Fatal("no call")
		}
	}
	for _, body := range []string{"", "null", "0", `""`, "[]", "{}", "[[]]", "\x00\xff", "data:\n\ndata: null\n\ndata: []\n\ndata: {}\n\n", `{"choices":{},"usage":[],"error":0,"id":{},"model":[]}`} {
		x := exchange(f)
		x.Request.Data = []byte(body)
		if c, _ := d.Read(x, []byte(body)); c == nil {
			t.Fatalf("%q: no call", body)
		}
	}
}

// nesting: a body that nests deeper than any stack is only data.
func nesting(t *testing.T, d Dialect, f Fixture) {
	const deep = 1_000_000
	for _, open := range []string{"[", `{"a":`, `{"choices":[`, `{"messages":[`} {
		body := []byte(strings.Repeat(open, deep/len(open)))
		for _, b := range [][]byte{body, append([]byte("data: "), body...)} {
			x := exchange(f)
			x.Request.Data = b
			if c, _ := d.Read(x, Cut(b, 4096)...); c == nil {
				t.Fatalf("%q…: no call", open)
			}
		}
	}
}

// errorPages: every failure has an error type, whatever its body is.
func errorPages(t *testing.T, d Dialect, f Fixture) {
	for _, status := range []int{400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529} {
		for _, body := range []string{"", "<html><body>Bad Gateway</body></html>", "upstream connect error", `{"error":{"message":"no","type":"a_kind","code":null}}`, `{"detail":"no"}`, `{"error":"no"}`, `[{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED"}}]`, `{"message":"no"}`} {
			x := exchange(f)
			x.Status = status
			c, err := d.Read(x, []byte(body))
			if err != nil {
				t.Fatalf("%d %q: %v", status, body, err)
			}
			if c.ErrorType == "" {
				t.Fatalf("%d %q: no error type", status, body)
			}
			if c.Usage.Known() {
				t.Fatalf("%d %q: usage out of nothing", status, body)
			}
		}
	}
}
