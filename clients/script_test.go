package clients

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/tools/txtar"

	"github.com/spanwire/spanwire/internal/eventstream"
)

// A script is an upstream that answers what stands in a file. The file of a
// feature (a txtar archive) has one section a request, in the order in which they
// must come; it is named by method and path, in which * stands for a part of a
// segment. Sections one after the other whose names begin with "any" may come in
// any order: a request takes the first that it has everything of. A section has
//
//	< text        what the request's body must have (see plainJSON), any number
//	200           the status; "200 cut" closes the connection where the body ends
//	name: value   fields, then a blank line
//	…             the body, up to the next section
//
// The body of an AWS event stream is written as one event a line: its type, a
// blank, its payload; "!" before the type makes it an exception. Of a WebSocket
// (status 101) a line "< text" waits for a message of the caller that has the text,
// every other line is sent.
type script struct {
	dir     string
	keyless bool
	aws     awsWay

	mu    sync.Mutex
	turns []turn // those before at were taken
	at    int
	wrong []error
}

type turn struct {
	any          bool
	method, path string
	has          []string
	status       int
	cut          bool
	fields       [][2]string
	body         []byte
}

func (s *script) begin(feature string) error {
	file := filepath.Join("testdata", s.dir, feature+".txtar")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var turns []turn
	for _, section := range txtar.Parse(data).Files {
		t, err := parseTurn(section)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, section.Name, err)
		}
		turns = append(turns, t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns, s.at, s.wrong = turns, 0, nil
	return nil
}

// end returns what was wrong with the requests since begin.
func (s *script) end() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := s.wrong
	if s.at < len(s.turns) {
		wrong = append(wrong, fmt.Errorf("%d of %d requests came", s.at, len(s.turns)))
	}
	return wrong
}

func parseTurn(section txtar.File) (turn, error) {
	var t turn
	name, anyOrder := strings.CutPrefix(section.Name, "any ")
	t.any = anyOrder
	t.method, t.path, _ = strings.Cut(name, " ")
	rest := section.Data
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		rest = after
		text := string(line)
		name, value, isField := strings.Cut(text, ": ")
		switch {
		case t.status == 0 && strings.HasPrefix(text, "< "):
			t.has = append(t.has, text[2:])
		case t.status == 0:
			code, how, _ := strings.Cut(text, " ")
			status, err := strconv.Atoi(code)
			if err != nil {
				return t, fmt.Errorf("status: %w", err)
			}
			t.status, t.cut = status, how == "cut"
		case text == "":
			t.body = rest
			return t, nil
		case isField:
			t.fields = append(t.fields, [2]string{name, value})
		default:
			return t, fmt.Errorf("no field: %q", text)
		}
		if !found {
			return t, nil
		}
	}
}

// next takes the turn that a request begins, or says that it is none.
func (s *script) next(r *http.Request, raw []byte) (turn, bool) {
	body := plainJSON(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.at + 1
	complain := func(format string, args ...any) {
		s.wrong = append(s.wrong, fmt.Errorf("request %d, %s %s: "+format, append([]any{n, r.Method, r.URL.Path}, args...)...))
	}
	if s.at == len(s.turns) {
		complain("nobody expects it")
		return turn{}, false
	}
	s.choose(body)
	t := s.turns[s.at]
	if same, err := path.Match(t.path, r.URL.Path); err != nil || !same || r.Method != t.method {
		complain("want %s %s", t.method, t.path)
		return turn{}, false
	}
	s.at++
	for _, text := range t.has {
		if !bytes.Contains(body, []byte(text)) {
			complain("its body has no %s: %.2000s", text, body)
		}
	}
	switch {
	case s.keyless:
	case s.aws == signedByProxy || s.aws == signedByCaller:
		if err := s.aws.verify(r, raw); err != nil {
			complain("its signature: %v", err)
		}
	case !hasKey(r):
		complain("it came without the caller's key")
	}
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-spanwire") {
			complain("it has our own %s", name)
		}
	}
	return t, true
}

// choose puts the section that a request takes in front of those that may as well
// come before it.
func (s *script) choose(body []byte) {
	for i := s.at; i < len(s.turns) && s.turns[i].any; i++ {
		if s.turns[i].fits(body) {
			t := s.turns[i]
			s.turns = slices.Insert(slices.Delete(s.turns, i, i+1), s.at, t)
			return
		}
	}
}

func (t turn) fits(body []byte) bool {
	return !slices.ContainsFunc(t.has, func(text string) bool { return !bytes.Contains(body, []byte(text)) })
}

func hasKey(r *http.Request) bool {
	h := r.Header
	for _, value := range []string{h.Get("Authorization"), h.Get("X-Api-Key"), h.Get("X-Goog-Api-Key"), r.URL.Query().Get("key")} {
		if strings.Contains(value, apiKey) {
			return true
		}
	}
	return false
}

// refusal is of the shape that most SDKs can read and none tries again.
const refusal = `{"type":"error","message":"the script has no answer","error":{"type":"no_answer","code":400,"status":"NO_ANSWER","message":"the script has no answer"}}`

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	t, ok := s.next(r, body)
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, refusal)
		return
	}
	if t.status == http.StatusSwitchingProtocols {
		if err := t.talk(w, r); err != nil {
			s.mu.Lock()
			s.wrong = append(s.wrong, fmt.Errorf("%s: %w", t.path, err))
			s.mu.Unlock()
		}
		return
	}
	t.answer(w, r)
}

func (t turn) answer(w http.ResponseWriter, r *http.Request) {
	kind := ""
	for _, f := range t.fields {
		w.Header().Set(f[0], f[1])
		if strings.EqualFold(f[0], "content-type") {
			kind = f[1]
		}
	}
	if strings.HasPrefix(kind, "application/json") && !t.cut {
		t.whole(w, r)
		return
	}
	w.WriteHeader(t.status)
	for _, piece := range pieces(kind, t.body) {
		if _, err := w.Write(piece); err != nil {
			return // the caller is gone
		}
		w.(http.Flusher).Flush()
	}
	if t.cut {
		panic(http.ErrAbortHandler) // net/http then closes the connection without the last chunk
	}
}

// whole answers as the vendors do: compressed for whoever takes that.
func (t turn) whole(w http.ResponseWriter, r *http.Request) {
	body := t.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(body) // neither can fail on a bytes.Buffer
		z.Close()
		body = b.Bytes()
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(t.status)
	w.Write(body)
}

// plainJSON writes a document without blanks and escapes, which SDKs put into it as
// they like. Its members are in alphabetical order then.
func plainJSON(b []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return b
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return b
	}
	return out.Bytes()
}

// pieces cuts a stream into what a vendor would send at once.
func pieces(kind string, body []byte) [][]byte {
	switch {
	case strings.HasPrefix(kind, "text/event-stream"):
		return bytes.SplitAfter(body, []byte("\n\n"))
	case strings.HasPrefix(kind, "application/vnd.amazon.eventstream"):
		var all [][]byte
		for line := range bytes.Lines(body) {
			all = append(all, amazonEvent(bytes.TrimSpace(line)))
		}
		return all
	}
	return bytes.SplitAfter(body, []byte("\n"))
}

func amazonEvent(line []byte) []byte {
	name, payload, _ := strings.Cut(string(line), " ")
	if name, ok := strings.CutPrefix(name, "!"); ok {
		return eventstream.Append(nil, []byte(payload),
			":message-type", "exception", ":exception-type", name, ":content-type", "application/json")
	}
	return eventstream.Append(nil, []byte(payload),
		":message-type", "event", ":event-type", name, ":content-type", "application/json")
}
