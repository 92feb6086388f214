package providerstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/spanwire/spanwire/llm"
)

// Fixtures reads testdata/*.txtar: exchange (method and target, status, header
// lines), request, response and golden. decode makes the response of what stands in
// the file, for formats that are no text; nil takes it as it is.
func Fixtures(t testing.TB, decode func([]byte) []byte) (fs []Fixture, golden map[string]string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %d files, %v", len(files), err)
	}
	golden = map[string]string{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		part := map[string][]byte{}
		for _, f := range a.Files {
			part[f.Name] = f.Data
		}
		lines := strings.Split(strings.TrimSpace(string(part["exchange"])), "\n")
		f := Fixture{Name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
		if _, err := fmt.Sscanf(lines[0]+" "+lines[1], "%s %s %d", &f.Method, &f.Target, &f.Status); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(lines) > 2 {
			f.ResponseHeader = llm.Header(strings.Join(lines[2:], "\r\n") + "\r\n")
		}
		f.Request = bytes.TrimSuffix(part["request"], []byte("\n"))
		if f.Response = part["response"]; decode != nil {
			f.Response = decode(f.Response)
		}
		fs = append(fs, f)
		golden[f.Name] = string(part["golden"])
	}
	return fs, golden
}

// Golden compares what each fixture reads to with its golden call; update rewrites
// that.
func Golden(t *testing.T, d Dialect, fs []Fixture, golden map[string]string, update bool) {
	t.Helper()
	for _, f := range fs {
		t.Run(f.Name, func(t *testing.T) {
			c, err := d.Read(f.Exchange(), f.Response)
			if err != nil {
				t.Fatal(err)
			}
			got := render(t, c)
			if update {
				rewrite(t, f.Name, got)
				return
			}
			if got != golden[f.Name] {
				t.Errorf("got\n%s\nwant\n%s", got, golden[f.Name])
			}
		})
	}
}

// render shows what a call says and leaves out what it does not.
func render(t *testing.T, c *llm.Call) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	usage, _ := v["Usage"].(map[string]any)
	for _, k := range llm.UsageKinds() {
		if n, ok := c.Usage.Get(k); ok {
			usage["tokens."+k.String()] = fmt.Sprint(n)
		}
	}
	steps, _ := v["Steps"].([]any)
	for i := range steps {
		step, _ := steps[i].(map[string]any)
		usage, _ := step["Usage"].(map[string]any)
		for _, k := range llm.UsageKinds() {
			if n, ok := c.Steps[i].Usage.Get(k); ok {
				usage["tokens."+k.String()] = fmt.Sprint(n)
			}
		}
	}
	if c.Cost.Known() {
		v["Cost"] = c.Cost.Total.String() + " USD by " + string(c.Cost.Source)
	}
	v["FirstToken"] = !c.FirstToken.IsZero()
	for _, clock := range []string{"Start", "FirstByte", "End", "Place"} {
		delete(v, clock)
	}
	out, err := json.MarshalIndent(prune(v), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == "Value" { // of an attribute: nothing in it is left out
				continue
			}
			if v[k] = prune(e); v[k] == nil {
				delete(v, k)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	}
	return v
}

func rewrite(t *testing.T, name, golden string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txtar")
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Files {
		if a.Files[i].Name == "golden" {
			a.Files[i].Data = []byte(golden)
		}
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
