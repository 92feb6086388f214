package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A client runs features through the proxy and reports what its SDK told.
type client struct {
	name  string
	tls   bool // through a proxy that serves TLS
	aws   awsWay
	start func(t *testing.T, proxy *running) (func(ctx context.Context, feature string) (facts, error), error)
}

// inGo is a client in this process.
func inGo(run func(ctx context.Context, proxy *running, feature string) (facts, error)) client {
	return client{name: "Go", start: func(_ *testing.T, proxy *running) (func(context.Context, string) (facts, error), error) {
		return func(ctx context.Context, feature string) (facts, error) { return run(ctx, proxy, feature) }, nil
	}}
}

func inPython(script string) client {
	return client{name: "Python", start: program(func() *exec.Cmd {
		return exec.Command(installed.python, filepath.Join("python", script))
	})}
}

func inNode(script string) client {
	return client{name: "Node", start: program(func() *exec.Cmd {
		return exec.Command(nodeProgram(), filepath.Join(installed.node, script))
	})}
}

func overTLS(c client) client {
	c.tls = true
	return c
}

// program is a client that is a program. It finds base URLs and keys in the
// environment, as users have them, reads the names of features from its standard
// input and prints a line of facts for each.
func program(command func() *exec.Cmd) func(*testing.T, *running) (func(context.Context, string) (facts, error), error) {
	return func(t *testing.T, proxy *running) (func(context.Context, string) (facts, error), error) {
		cmd := command()
		cmd.Env = append(environment(proxy), proxy.callerEnv...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		t.Cleanup(func() {
			in.Close()
			cmd.Process.Kill()
			cmd.Wait() // killed: its error says nothing
		})
		lines := bufio.NewReader(out)
		ask := func(ctx context.Context, feature string) (facts, error) {
			stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
			defer stop()
			if _, err := io.WriteString(in, feature+"\n"); err != nil {
				return facts{}, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
			}
			line, err := lines.ReadBytes('\n')
			if err != nil {
				cmd.Wait() // then all of stderr is there
				return facts{}, fmt.Errorf("%s %s: %w\n%s", strings.Join(cmd.Args, " "), feature, errors.Join(ctx.Err(), err), stderr.String())
			}
			return readFacts(line)
		}
		return ask, nil
	}
}

func readFacts(line []byte) (facts, error) {
	var f struct {
		facts
		Failure string `json:"failure"`
	}
	if err := json.Unmarshal(line, &f); err != nil {
		return f.facts, fmt.Errorf("read what the client printed (%.200q): %w", line, err)
	}
	if f.Failure != "" {
		return f.facts, errors.New(f.Failure)
	}
	return f.facts, nil
}

// environment is what users set to go through the proxy: base URLs, and the keys
// that they have anyway. SPANWIRE_URL is for SDKs that take it in code only.
func environment(proxy *running) []string {
	env := append(os.Environ(),
		"SPANWIRE_URL="+proxy.url,
		"OPENAI_BASE_URL="+proxy.url+"/v1", "OPENAI_API_KEY="+apiKey,
		"ANTHROPIC_BASE_URL="+proxy.url, "ANTHROPIC_API_KEY="+apiKey,
		"GOOGLE_GEMINI_BASE_URL="+proxy.url+"/gemini", "GEMINI_API_KEY="+apiKey,
		"CO_API_URL="+proxy.url+"/cohere", "CO_API_KEY="+apiKey,
		"OLLAMA_HOST="+proxy.url+"/ollama",
		"MISTRAL_API_KEY="+apiKey,
		"AWS_ENDPOINT_URL_BEDROCK_RUNTIME="+proxy.url+"/bedrock",
		"PYTHONDONTWRITEBYTECODE=1",
	)
	if proxy.cert != "" {
		env = append(env, "SSL_CERT_FILE="+proxy.cert, "NODE_EXTRA_CA_CERTS="+proxy.cert, "AWS_CA_BUNDLE="+proxy.cert)
	}
	return env
}

// shareScripts copies Node's scripts beside the installed packages: modules are
// looked up from where a script really is.
func shareScripts(folder string) error {
	scripts, err := filepath.Glob(filepath.Join(folder, "*.mjs"))
	if err != nil {
		return err
	}
	for _, script := range append(scripts, "node/facts.mjs") {
		data, err := os.ReadFile(script)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(installed.node, filepath.Base(script)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// nodeProgram prefers the Node that clients/setup installed because the
// machine's own is too old.
func nodeProgram() string {
	own := filepath.Join(installed.node, "node_modules", "node", "bin", "node")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return "node"
}
