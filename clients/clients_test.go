// Package clients drives the official SDKs of the vendors through the proxy, with
// the base URL changed and nothing else, and compares what they told their users
// with what the spans say. It is a module of its own, for tests alone: the product
// does not depend on anybody's SDK.
package clients

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// installed says where clients/setup put the SDKs.
var installed struct{ python, node string }

func TestMain(m *testing.M) {
	flag.Parse()
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if bin, err := buildProxy(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

func install() error {
	cmd := exec.Command("./setup")
	scripts := "node"
	if *frameworks {
		cmd.Args = append(cmd.Args, "frameworks")
		scripts = "frameworks/node"
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("install the SDKs with clients/setup: %w", err)
	}
	for line := range strings.Lines(out.String()) {
		switch what, where, _ := strings.Cut(strings.TrimSpace(line), ": "); what {
		case "python":
			installed.python = filepath.Join(where, "bin", "python")
		case "node":
			installed.node = where
		}
	}
	return shareScripts(scripts)
}

// suites are what is tested, in the order of the tables.
var suites = []suite{
	openaiChat, openaiResponses, openaiRealtime, anthropicMessages, geminiContent, geminiLive,
	cohereV2, ollamaNative, mistralChat, bedrockConverse,
}

func TestClients(t *testing.T) {
	if *frameworks {
		t.Skip("the SDKs of vendors are NOT tested with -frameworks: run make clients")
	}
	tables := make([]matrix, len(suites))
	var mu sync.Mutex
	t.Run("suites", func(t *testing.T) { // ends when the parallel ones have
		for i, s := range suites {
			tables[i].suite = s
			for j, c := range s.clients {
				t.Run(s.name+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					results := runClient(t, s, c)
					mu.Lock()
					defer mu.Unlock()
					tables[i].add(j, results)
				})
			}
		}
	})
	passed, failed := 0, 0
	for _, m := range tables {
		if text := m.String(); text != "" {
			fmt.Println(text)
		}
		p, f := m.count()
		passed, failed = passed+p, failed+f
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
}
