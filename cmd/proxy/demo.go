package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

// Pace of the built-in provider, quick enough for a demo and slow enough to see a
// stream come.
const (
	demoFirst   = 120 * time.Millisecond
	demoBetween = 12 * time.Millisecond
)

// runDemo lets an agent talk to a built-in provider through the proxy and shows
// the spans. On a terminal it goes on to serve, so that one can try it by hand.
func runDemo(ctx context.Context, cfg loaded, s settings, once bool) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the built-in provider: %w", err)
	}
	provider := fakellm.New(fakellm.Config{First: demoFirst, Between: demoBetween})
	served := make(chan error, 1)
	go func() { served <- provider.Serve(ln) }()
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = provider.Shutdown(stop) // what still runs is of no use to anybody
		<-served
	}()

	cfg = demoConfig(cfg, ln.Addr().String())
	if cfg.DataDir, err = os.MkdirTemp("", "spanwire-demo-"); err != nil {
		return fmt.Errorf("make a folder for the calls of the demo: %w", err)
	}
	defer os.RemoveAll(cfg.DataDir)
	fmt.Fprintf(s.stdout, `Spanwire demo: an agent calls a model through the proxy.
No key is needed and nothing leaves this machine: the model is a built-in provider.

  agent ──▶ spanwire %s ──▶ built-in provider %s
                │
                └─▶ spans, on this screen

What the agent does
`, cfg.Listen, ln.Addr())

	dir, err := os.MkdirTemp("", "spanwire-demo")
	if err != nil {
		return fmt.Errorf("keep the spans of the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	kept := filepath.Join(dir, "spans.jsonl")
	sums, err := demoRun(ctx, cfg, kept, s)
	if err != nil {
		return err
	}
	fmt.Fprint(s.stdout, "\nThe same as a tree: what belongs together was found in the calls themselves\n\n")
	if err := printTrees(s.stdout, kept, false); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "\n%s\n\nNext\n", sums)
	fmt.Fprint(s.stdout, nextSteps(invocation(os.Args[0])))
	if once || !terminal(s.stdout) {
		return nil
	}
	fmt.Fprint(s.stdout, "\nThe proxy now serves, still with the built-in provider, until Ctrl-C. In another terminal:\n\n")
	fmt.Fprintf(s.stdout, `  curl %s/v1/chat/completions -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'

`, baseURL(cfg.Config, cfg.Listen))
	cfg.Tracing.Batch.Delay = 50 * time.Millisecond
	s.quiet = true
	return serve(ctx, cfg, func() (loaded, error) { return cfg, nil }, s)
}

// nextSteps says what to do after the demo with the program that is called name.
func nextSteps(name string) string {
	var b strings.Builder
	for _, step := range [][2]string{
		{name, "the same proxy, in front of the real providers"},
		{"export OPENAI_BASE_URL=http://localhost:8080/v1", "point a client at it"},
		{"export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", "before the start: where spans go"},
		{name + " doctor", "see that not a byte is changed"},
	} {
		fmt.Fprintf(&b, "  %-58s # %s\n", step[0], step[1])
	}
	return b.String()
}

// demoConfig puts the built-in provider in OpenAI's place, and the screen in the
// exporters'. An address that is taken is replaced by a free one.
func demoConfig(cfg loaded, provider string) loaded {
	cfg.file = ""
	cfg.warnings = nil
	cfg.DefaultProvider = "openai"
	cfg.Providers = slices.DeleteFunc(slices.Clone(cfg.Providers), func(p Provider) bool { return p.Name == "openai" })
	cfg.Providers = append(cfg.Providers, Provider{Name: "openai", BaseURL: "http://" + provider})
	cfg.Tracing.Exporters = []tracing.Exporter{{Type: "stdout"}}
	cfg.Listen, cfg.Admin = freeAddress(cfg.Listen), freeAddress(cfg.Admin)
	cfg.Log.Level = "warn"
	cfg.Capture.Raw = true
	// A demo leaves nothing behind: what it keeps is in a folder that goes when it ends.
	cfg.Runs.Snapshot = 0
	cfg.Journal.Dir = ""
	cfg.Tokenizer.CalibrationFile = ""
	return cfg
}

// freeAddress returns address, or one with a free port when its own is taken.
func freeAddress(address string) string {
	ln, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return address // "off", or a fault that serve explains
	}
	defer ln.Close()
	return ln.Addr().String()
}

// demoRun serves until the agent is done. All spans come at the end, so that they
// do not fall between the lines of the agent.
func demoRun(ctx context.Context, cfg loaded, kept string, s settings) (*tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.Tracing.Exporters = append(slices.Clone(cfg.Tracing.Exporters), tracing.Exporter{Type: "file", Path: kept})
	cfg.Tracing.Batch.Delay = time.Hour
	sums := &tally{}
	acted := make(chan error, 1)
	s.quiet, s.sink = true, sums
	s.started = func(at addresses) {
		go func() {
			defer cancel()
			a := agent{base: baseURL(cfg.Config, at.proxy) + "/v1", out: s.stdout, http: &http.Client{Transport: &http.Transport{}}}
			err := a.run(ctx)
			a.http.CloseIdleConnections()
			fmt.Fprint(s.stdout, "\nWhat Spanwire saw\n")
			acted <- err
		}()
	}
	if err := serve(ctx, cfg, func() (loaded, error) { return cfg, nil }, s); err != nil {
		return nil, err
	}
	select {
	case err := <-acted:
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		return sums, nil
	case <-time.After(time.Second):
		return nil, errors.New("demo: interrupted")
	}
}

// tally is a sink that adds up what passes.
type tally struct {
	mu            sync.Mutex
	calls, failed int
	input, output int64
	costs         llm.Costs
	unpriced      int // calls that used something and have no price
}

// Consume adds up calls; it keeps none of them.
func (t *tally) Consume(_ context.Context, calls []*llm.Call) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range calls {
		if c.Kind == llm.KindRun {
			continue
		}
		t.calls++
		if c.ErrorType != "" {
			t.failed++
		}
		in, _ := c.Usage.Input()
		out, _ := c.Usage.Output()
		t.input += in
		t.output += out
		switch {
		case c.Cost.Known():
			t.costs.Add(c.Cost.Money())
		case in+out > 0:
			t.unpriced++
		}
	}
	return nil
}

// Close does nothing: everything was added up when it came.
func (t *tally) Close(context.Context) error { return nil }

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := fmt.Sprintf("%d calls, %d of them an error · %d tokens in, %d out · %s", t.calls, t.failed, t.input, t.output, t.costs)
	if t.unpriced > 0 {
		s += fmt.Sprintf(" and %d calls without a known price", t.unpriced)
	}
	return s
}

// terminal says whether somebody looks at out.
func terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
