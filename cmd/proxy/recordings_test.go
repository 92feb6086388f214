package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// everything makes the tests of recordings play each in every way and print what
// came of it. Without it each is played in a few ways, which takes seconds.
var everything = flag.Bool("recordings", false, "play recordings in every way, and print a table")

// recordings returns the folder of recorded exchanges, or skips the test.
func recordings(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SPANWIRE_DATA")
	if root == "" {
		root = "../../../shared/data"
	}
	dir := filepath.Join(root, "traffic", "exchanges")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("NOT TESTED: that recorded exchanges are relayed and read as they are, end to end. The recordings are not at %s; set SPANWIRE_DATA to the folder that holds traffic/exchanges.", dir)
	}
	return dir
}

// way is one way to play a recording: written in pieces of so many bytes, under
// gzip or not, with a cut somewhere or not.
type way struct {
	piece int
	gzip  bool
	cut   int // bytes of the body that come; 0 is all
}

func (w way) String() string {
	s := fmt.Sprintf("pieces of %d", w.piece)
	if w.gzip {
		s += ", gzip"
	}
	if w.cut > 0 {
		s += fmt.Sprintf(", cut after %d", w.cut)
	}
	return s
}

// ways are all that a recording of n bytes is played in.
func ways(n int) (all []way) {
	pieces, cuts := []int{7, 4096}, 3
	if *everything {
		pieces, cuts = []int{1, 7, 13, 333, 4096}, 16
	}
	for _, piece := range pieces {
		all = append(all, way{piece: piece}, way{piece: piece, gzip: true})
	}
	for i := range cuts {
		if k := max(1, n*i/cuts); k < n {
			all = append(all, way{piece: pieces[i%len(pieces)], cut: k})
		}
	}
	if n > 1 {
		all = append(all, way{piece: 333, cut: n - 1})
	}
	return all
}

// stage is a run of the program in front of a provider that plays recordings.
type stage struct{ *program }

// newStage starts one. The rows of the configuration have the names that providers
// have in recordings, and nothing else: what is known of a name is in the program.
func newStage(t *testing.T, all []providerstest.Recording, more string) *stage {
	t.Helper()
	url := provider(t, fakellm.NewReplay(filepath.Dir(recordings(t))))
	var names []string
	for _, r := range all {
		names = append(names, rowOf(r))
	}
	slices.Sort(names)
	var rows strings.Builder
	rows.WriteString("providers:\n")
	for _, name := range slices.Compact(names) {
		fmt.Fprintf(&rows, "  - {name: %s, base_url: '%s'}\n", name, url)
	}
	return &stage{start(t, rows.String()+more)}
}

// rowOf names the row that serves a recording. Azure has two, by host.
func rowOf(r providerstest.Recording) string {
	if r.Provider == "azure" && strings.HasSuffix(r.Host, ".services.ai.azure.com") {
		return "azure-ai"
	}
	return r.Provider
}

// TestRecordings relays every recorded exchange, whole and cut, in pieces of several
// sizes: the caller gets the recorded bytes, and the call says what is known of them.
func TestRecordings(t *testing.T) {
	recordings(t)
	all := providerstest.Recordings(t, func(providerstest.Recording) bool { return true })
	if len(all) < 250 {
		t.Fatalf("only %d recordings were found", len(all))
	}
	s := newStage(t, all, "")
	for _, r := range all {
		t.Run(r.Name, func(t *testing.T) {
			passed := t.Run("whole", func(t *testing.T) { s.whole(t, r) }) && t.Run("cut", func(t *testing.T) { s.cut(t, r) })
			scores.add(r.Provider, r.Endpoint, passed)
		})
	}
}

// whole plays a recording in each way that leaves it whole.
func (s *stage) whole(t *testing.T, r providerstest.Recording) {
	for _, w := range ways(len(r.Response)) {
		if w.cut > 0 {
			continue
		}
		got := s.play(t, r, w)
		if got.err != nil {
			t.Fatalf("%s: read the answer: %v", w, got.err)
		}
		if sum := sha256.Sum256(got.body); hex.EncodeToString(sum[:]) != r.Expected.BodySHA256 {
			t.Errorf("%s: the body has other bytes than were recorded", w)
		}
		for name, value := range r.ResponseHeader.All() {
			if !slices.Contains(got.header[strings.ToLower(name)], value) && !slices.Contains([]string{"content-length", "keep-alive"}, strings.ToLower(name)) {
				t.Errorf("%s: the answer lacks %s: %s", w, name, value)
			}
		}
		if c := got.call; c.Route != rowOf(r) || c.Status != r.Status || c.Ended != llm.EndComplete {
			t.Errorf("%s: route %s, status %d, ended %s", w, c.Route, c.Status, c.Ended)
		}
		for _, d := range providerstest.Differences(got.call, r) {
			if d.Why == "" {
				t.Errorf("%s: %s", w, d)
			} else {
				scores.explain(r.Name, d)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// cut plays a recording that breaks off at many places: the caller sees it, and so
// does the call, which says nothing that the whole does not.
func (s *stage) cut(t *testing.T, r providerstest.Recording) {
	whole := s.play(t, r, way{piece: 4096}).call
	for _, w := range ways(len(r.Response)) {
		if w.cut == 0 {
			continue
		}
		got := s.play(t, r, w)
		if got.err == nil {
			t.Errorf("%s: the caller saw a finished answer of %d bytes", w, len(got.body))
		}
		if len(got.body) > w.cut || !bytes.HasPrefix(r.Response, got.body) {
			t.Errorf("%s: the caller got other bytes than were sent", w)
		}
		if c := got.call; c.Ended != llm.EndUpstreamCut || c.ErrorType == "" || c.Status != r.Status || c.ResponseBytes != int64(w.cut) {
			t.Errorf("%s: ended %q, error %q, status %d, %d bytes", w, c.Ended, c.ErrorType, c.Status, c.ResponseBytes)
		}
		if r.Spliced() {
			continue
		}
		for _, said := range providerstest.Beyond(got.call, whole) {
			t.Errorf("%s: %s", w, said)
		}
	}
}

// played is what came of playing a recording.
type played struct {
	body   []byte // decoded
	header map[string][]string
	err    error // of reading the body
	call   *llm.Call
}

// play makes the recorded request and waits for its call.
func (s *stage) play(t *testing.T, r providerstest.Recording, w way) (out played) {
	t.Helper()
	p := fakellm.Play{Exchange: r.Name, Piece: w.piece, Gzip: w.gzip, CutAfter: w.cut}
	header := []string{fakellm.ReplayHeader, p.Header(), "Accept-Encoding", "identity"}
	for name, value := range r.RequestHeader.All() {
		if name := strings.ToLower(name); !slices.Contains([]string{"accept-encoding", "content-length", "host", "connection", "transfer-encoding"}, name) {
			header = append(header, name, value)
		}
	}
	resp, body, err := send(t, r.Method, s.url+"/"+rowOf(r)+r.Target, string(r.Request), header...)
	if resp.StatusCode != r.Status {
		t.Fatalf("%s: status %d: %.300s", w, resp.StatusCode, body)
	}
	out.body, out.err = []byte(body), err
	if resp.Header.Get("Content-Encoding") == "gzip" && err == nil {
		out.body = []byte(gunzip(t, body))
	}
	out.header = map[string][]string{}
	for name, values := range resp.Header {
		out.header[strings.ToLower(name)] = values
	}
	out.call = s.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
	return out
}

// scores are of all tests of this package: TestMain prints it.
var scores score

// score counts what passed, and what differs for a reason.
type score struct {
	groups    map[[2]string]*[2]int // by provider and endpoint: passed, all
	explained []string
}

func (y *score) add(provider, endpoint string, passed bool) {
	if y.groups == nil {
		y.groups = map[[2]string]*[2]int{}
	}
	g := y.groups[[2]string{provider, endpoint}]
	if g == nil {
		g = new([2]int)
		y.groups[[2]string{provider, endpoint}] = g
	}
	if g[1]++; passed {
		g[0]++
	}
}

func (y *score) explain(name string, d providerstest.Difference) {
	line := fmt.Sprintf("%-60s %-16s %s", name, d.What, d.Why)
	if !slices.Contains(y.explained, line) {
		y.explained = append(y.explained, line)
	}
}

func (y *score) print(w io.Writer) {
	if len(y.groups) == 0 {
		return
	}
	var rows []string
	passed, all := 0, 0
	for key, n := range y.groups {
		rows = append(rows, fmt.Sprintf("%-16s %-32s %4d / %d\n", key[0], key[1], n[0], n[1]))
		passed, all = passed+n[0], all+n[1]
	}
	slices.Sort(rows)
	fmt.Fprintf(w, "\n%-16s %-32s passed / recorded\n%s%-16s %-32s %4d / %d\n", "provider", "endpoint", strings.Join(rows, ""), "all", "", passed, all)
	if len(y.explained) > 0 {
		fmt.Fprintf(w, "\nRead otherwise than the recordings say, for a reason that docs/dialects.md has:\n%s\n", strings.Join(y.explained, "\n"))
	}
}
