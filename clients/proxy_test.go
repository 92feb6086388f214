package clients

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/fakellm"
)

// apiKey is passed through to the fake provider, which does not look at it.
const apiKey = "fake-key-of-the-client-tests"

// patience bounds each wait of these tests; nothing waits for it on a good day.
const patience = 60 * time.Second

// A provider is what is behind the proxy: the fake provider, or a script.
type provider struct {
	addr   string
	script *script // nil: the fake provider

	mu   sync.Mutex
	gate chan struct{} // holds streams of the model "gated" after a few events
}

// startProvider serves it on loopback until the test ends.
func startProvider(t *testing.T, s suite, c client) *provider {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{addr: ln.Addr().String(), gate: make(chan struct{})}
	if s.scripts != "" {
		p.script = &script{dir: s.scripts, keyless: s.keyless, aws: c.aws}
		server := &http.Server{Handler: p.script}
		go server.Serve(ln)
		t.Cleanup(func() { server.Close() })
		return p
	}
	server := fakellm.New(fakellm.Config{Gate: p.hold})
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		p.release()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		server.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("fake provider: %v", err)
		}
	})
	return p
}

// begin and end are around a feature; end returns what was wrong with its requests.
func (p *provider) begin(feature string) error {
	if p.script == nil {
		return nil
	}
	return p.script.begin(feature)
}

func (p *provider) end() []error {
	if p.script == nil {
		return nil
	}
	return p.script.end()
}

func (p *provider) hold(model string, events int) {
	if model == "gated" && events == 4 {
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		<-gate
	}
}

// release lets every held stream go on; later ones are held anew.
func (p *provider) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gate)
	p.gate = make(chan struct{})
}

// A running is the proxy as a user runs it: the program, a config file, signals.
type running struct {
	url    string // http://127.0.0.1:port
	cert   string // file of its certificate, where it serves TLS
	spans  string // file of the file exporter
	cmd    *exec.Cmd
	output bytes.Buffer // complete once exited was received from
	exited chan error

	callerEnv []string // what its caller needs besides
}

// buildProxy builds the program once for all tests.
var buildProxy = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "spanwire-clients")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "spanwire")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/proxy")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the proxy: %w\n%s", err, out)
	}
	return bin, nil
})

// shownURL is in the line that the proxy prints for people: it says where to
// point a client, and that is what these tests do.
var shownURL = regexp.MustCompile(`OPENAI_BASE_URL=(https?://[^\s/]+)`)

// vendors are the rows that lead to the provider under test.
var vendors = []string{"openai", "anthropic", "gemini", "cohere", "ollama", "mistral", "bedrock"}

// startProxy runs the proxy in front of p.
func startProxy(t *testing.T, p *provider, c client) *running {
	t.Helper()
	bin, err := buildProxy()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := &running{spans: filepath.Join(dir, "spans.jsonl"), exited: make(chan error, 1)}
	var config strings.Builder
	config.WriteString("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nproviders:\n")
	for _, name := range vendors {
		fmt.Fprintf(&config, "  - {name: %s, base_url: \"http://%s\"", name, p.addr)
		if name == "bedrock" && c.aws == signedByProxy {
			config.WriteString(", aws: {region: " + awsRegion + "}")
		}
		config.WriteString("}\n")
	}
	fmt.Fprintf(&config, "tracing: {exporters: [{type: file, path: %q}]}\n", r.spans)
	if c.tls {
		r.cert = filepath.Join(dir, "cert.pem")
		key := filepath.Join(dir, "key.pem")
		if err := writeCertificate(r.cert, key); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, "tls: {cert: %q, key: %q}\n", r.cert, key)
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command(bin, "--config", file)
	r.cmd.Dir = dir
	r.cmd.Stdout, r.cmd.Stderr = in, in
	r.cmd.Env, r.callerEnv = c.aws.environments(dir, p.addr)
	err = r.cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.cmd.Process.Kill() })

	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			r.output.WriteString(lines.Text() + "\n")
			if m := shownURL.FindStringSubmatch(lines.Text()); m != nil && r.url == "" {
				r.url = m[1]
				found <- m[1]
			}
		}
		out.Close()
		r.exited <- r.cmd.Wait()
	}()
	select {
	case <-found:
	case err := <-r.exited:
		t.Fatalf("the proxy ended before it said where it listens: %v\n%s", err, r.output.String())
	case <-time.After(patience):
		t.Fatal("the proxy did not say where it listens")
	}
	return r
}

// stop ends the proxy as an init system does, and returns the spans that it
// wrote by then.
func (r *running) stop(t *testing.T) []span {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-r.exited:
		if err != nil {
			t.Fatalf("the proxy did not end well: %v\n%s", err, r.output.String())
		}
	case <-time.After(patience):
		t.Fatal("the proxy did not end on SIGTERM")
	}
	spans, err := readSpans(r.spans)
	if err != nil {
		t.Fatal(err)
	}
	return spans
}
