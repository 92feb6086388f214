package tokenizer

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// prose has 1,000 tokens of o200k_base: a word each.
var prose = strings.Repeat(" word", 1000)

// reported is a call of a model with a private vocabulary that carries usage.
func reported(model string, in int64) *llm.Call {
	c := chatCall(model)
	c.Provider, c.Input, c.End = "acme", []llm.Message{user(prose)}, time.Unix(1_800_000_000, 0)
	c.Usage.Set(llm.UncachedInput, in)
	c.Usage.Set(llm.OutputText, 3)
	return c
}

// silent is the same without usage.
func silent(model string) *llm.Call {
	c := reported(model, 0)
	c.Usage = llm.Usage{}
	return c
}

// what counts a call that carries no usage.
func what(c *Counter, call *llm.Call) (in int64, source llm.UsageSource) {
	c.Count(call)
	in, _ = call.Usage.Input()
	return in, call.Usage.Source
}

// wrapped is what the counter makes of a prompt with prose in tokens of o200k_base.
const wrapped = 3 + 3 + 1 + 1000

func TestCalibration(t *testing.T) {
	c := New()
	for i := range 5 {
		if in, source := what(c, silent("claude-opus-9")); in != percent(wrapped, 143) || source != llm.UsageEstimated {
			t.Fatalf("after %d calls: %d (%s), want the family's factor", i, in, source)
		}
		c.Count(reported("claude-opus-9", 2000))
	}
	// 2000 of 1007, each with 50 at the family's factor
	want := int64(math.Round(wrapped * (2000 + 50*1.43) / (1007 + 50)))
	if in, source := what(c, silent("claude-opus-9")); in != want || source != llm.UsageCalibrated {
		t.Errorf("after five calls: %d (%s), want %d", in, source, want)
	}
	// What is learnt of one model at one provider holds for nothing else.
	if in, source := what(c, silent("claude-opus-8")); in != percent(wrapped, 143) || source != llm.UsageEstimated {
		t.Errorf("another model: %d (%s)", in, source)
	}
	other := silent("claude-opus-9")
	other.Provider = "elsewhere"
	if in, source := what(c, other); in != percent(wrapped, 143) || source != llm.UsageEstimated {
		t.Errorf("another provider: %d (%s)", in, source)
	}
}

// What is learnt of prompts with tools, and of another endpoint, is learnt apart.
func TestCalibrationIsApart(t *testing.T) {
	c := New()
	tools := func(call *llm.Call) *llm.Call {
		call.Tools = []llm.Tool{{Type: "function", Name: "f"}}
		return call
	}
	responses := func(call *llm.Call) *llm.Call { call.Path = "/v1/responses"; return call }
	plain := func(call *llm.Call) *llm.Call { return call }
	for range 5 {
		c.Count(tools(reported("acme-1", 3000)))
	}
	f := func(name string, as func(*llm.Call) *llm.Call, want llm.UsageSource) {
		t.Helper()
		if _, source := what(c, as(silent("acme-1"))); source != want {
			t.Errorf("%s: %s, want %s", name, source, want)
		}
	}
	f("with tools", tools, llm.UsageCalibrated)
	f("without", plain, llm.UsageEstimated)
	f("by another endpoint", func(c *llm.Call) *llm.Call { return responses(tools(c)) }, llm.UsageEstimated)
	asked := func(call *llm.Call) *llm.Call {
		call.Input = append(call.Input, llm.Message{Role: "tool", Parts: []llm.Part{{Type: llm.PartToolCallResponse, Response: "17"}}})
		return call
	}
	f("with the result of one", asked, llm.UsageCalibrated)
	for range 5 {
		c.Count(responses(reported("acme-1", 2000)))
	}
	f("by the other endpoint", responses, llm.UsageCalibrated)
	f("still without", plain, llm.UsageEstimated)
}

// A file of the first version, which mixed them, is taken and nothing in it.
func TestCalibrationOfVersionOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calibration.json")
	if err := os.WriteFile(file, []byte(`{"schema":"spanwire.calibration/1","models":[{"provider":"acme","model":"acme-1","calls":50,"counted":1000,"actual":2000,"last":"2026-11-21T00:00:00Z"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(Config{CalibrationFile: file}, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if _, source := what(c, silent("acme-1")); source != llm.UsageEstimated {
		t.Errorf("%s", source)
	}
	c.Count(reported("acme-1", 2000))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), Schema) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestCalibratedAnswers(t *testing.T) {
	c := New()
	for range 5 {
		c.Count(reported("acme-1", 2000))
	}
	call := silent("acme-1")
	call.Output = []llm.Message{answer(prose)}
	c.Count(call)
	if out, _ := call.Usage.Output(); out != int64(math.Round(1000*2050/1057.0)) {
		t.Errorf("the answer has %d", out)
	}
	call = silent("acme-1")
	call.Ended = llm.EndUpstreamCut
	if c.Count(call); call.Usage.Source != llm.UsagePartial {
		t.Errorf("a cut answer is %s", call.Usage.Source)
	}
}

// Calls whose tokens are not those of their text teach nothing.
func TestWhatIsNotLearnt(t *testing.T) {
	f := func(name string, change func(*llm.Call)) {
		t.Helper()
		c := New()
		for range 10 {
			call := reported("acme-1", 2000)
			change(call)
			c.Count(call)
		}
		if in, source := what(c, silent("acme-1")); in != wrapped || source != llm.UsageEstimated {
			t.Errorf("%s: %d (%s)", name, in, source)
		}
	}
	f("an image", func(c *llm.Call) {
		c.Input[0].Parts = append(c.Input[0].Parts, llm.Part{Type: llm.PartBlob, Modality: "image"})
	})
	f("tokens of an image", func(c *llm.Call) { c.Usage.Set(llm.ImageInput, 500) })
	f("a hosted tool", func(c *llm.Call) { c.Tools = []llm.Tool{{Type: "web_search"}} })
	f("an earlier answer", func(c *llm.Call) { c.SetAttr("gen_ai.request.previous_response.id", "resp_1") })
	f("no text kept", func(c *llm.Call) { c.Content, c.Input = llm.ContentOff, nil })
	f("text cut off", func(c *llm.Call) { c.Input[0].Parts[0].Size = 1 << 20 })
	f("a count that cannot be", func(c *llm.Call) { c.Usage.Set(llm.UncachedInput, 1_000_000) })
	f("a count of nothing", func(c *llm.Call) { c.Usage.Set(llm.UncachedInput, 0) })
	f("parts that exceed their whole", func(c *llm.Call) { c.Usage.Inconsistent = true })
	f("a public vocabulary", func(c *llm.Call) { c.RequestModel = "gpt-4o" })
}

func TestPromptsThatGoOnElsewhereAreLowerBounds(t *testing.T) {
	for _, key := range stored {
		call := chatCall("gpt-4o")
		call.SetAttr(key, "x")
		counted(t, call, 9, 2, llm.UsageEstimated)
	}
}

// However many calls there are, old ones fade, and most cost nothing.
func TestCalibrationFollowsAChange(t *testing.T) {
	c, k := New(), learnedKey{provider: "acme", model: "acme-1"}
	for range 400 {
		c.factors.learn(k, 1000, 2000, time.Time{})
	}
	if f, _ := c.factors.get(k, 100); f.of(1050) != 2050 {
		t.Errorf("1,050 tokens are %d at two for one", f.of(1050))
	}
	for range recent {
		c.factors.learn(k, 1000, 1000, time.Time{})
	}
	if f, _ := c.factors.get(k, 100); f.of(1000) != 1000 {
		t.Errorf("1,000 tokens are %d after %d calls at one for one", f.of(1000), recent)
	}
	// A few calls that are out of the way do not carry the factor off.
	for range 3 {
		c.factors.learn(k, 1000, 8000, time.Time{})
	}
	if f, _ := c.factors.get(k, 100); f.of(1000) != 1000 {
		t.Errorf("1,000 tokens are %d after three odd calls", f.of(1000))
	}
	taken := 0
	for range 32 * 100 {
		if c.factors.wants(k) {
			taken++
		}
	}
	if taken != 100 {
		t.Errorf("%d of 3,200 calls are counted to learn from, want 100", taken)
	}
}

func TestCalibrationIsBounded(t *testing.T) {
	c := New()
	for i := range maxLearned * 2 {
		c.factors.learn(learnedKey{provider: "acme", model: fmt.Sprint("m", i)}, 10, 10, time.Unix(int64(i), 0))
	}
	if n := len(c.factors.models); n != maxLearned {
		t.Errorf("%d models are kept", n)
	}
	if c.factors.models[learnedKey{provider: "acme", model: "m0"}] != nil || c.factors.models[learnedKey{provider: "acme", model: fmt.Sprint("m", maxLearned*2-1)}] == nil {
		t.Error("not the oldest went")
	}
}

func TestCalibrationIsSafeForConcurrentUse(t *testing.T) {
	c, err := Open(Config{CalibrationFile: filepath.Join(t.TempDir(), "c.json")}, Settings{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 30 {
				c.Count(reported(fmt.Sprint("acme-", i%3), 2000))
				c.Count(silent(fmt.Sprint("acme-", i%3)))
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCalibrationOutlivesTheProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calibration.json")
	log := slog.New(slog.DiscardHandler)
	c, err := Open(Config{CalibrationFile: file}, Settings{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.Count(reported("acme-1", 2000))
	}
	want, _ := what(c, silent("acme-1"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
		t.Errorf("the folder holds more than the file: %v", entries)
	}
	c, err = Open(Config{CalibrationFile: file}, Settings{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if in, source := what(c, silent("acme-1")); in != want || source != llm.UsageCalibrated {
		t.Errorf("after a restart: %d (%s), want %d", in, source, want)
	}
	// Nothing new: nothing is written.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}

// A model of which every call was unfit to learn from is not in the file, which
// would be refused otherwise.
func TestCalibrationKeepsWhatWasLearnt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calibration.json")
	c, err := Open(Config{CalibrationFile: file}, Settings{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	odd := reported("acme-2", 2000)
	odd.Tools = []llm.Tool{{Type: "web_search"}}
	c.Count(odd)
	c.Count(reported("acme-1", 2000))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(Config{CalibrationFile: file}, Settings{}); err != nil || len(c.factors.models) != 1 {
		t.Fatalf("%v: %v", c, err)
	}
}

// Beside tools, and with several calls at once, answers cost a little more.
func TestAnswersOfCallsWithTools(t *testing.T) {
	call := chatCall("gpt-4o")
	call.Tools = []llm.Tool{{Type: "function", Name: "f"}}
	New().Count(call)
	if out, _ := call.Usage.Output(); out != 3 {
		t.Errorf("a text beside tools has %d tokens, want 3", out)
	}
	one := llm.Part{Type: llm.PartToolCall, Name: "f", Arguments: "{}"}
	count := func(parts ...llm.Part) int64 {
		call := chatCall("gpt-4o")
		call.Output = []llm.Message{{Role: "assistant", Parts: parts}}
		New().Count(call)
		out, _ := call.Usage.Output()
		return out
	}
	if a, b := count(one), count(one, one); b != 2*a+12 {
		t.Errorf("a call has %d tokens, two at once %d", a, b)
	}
}

func TestCalibrationIsWrittenNowAndThen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calibration.json")
	synctest.Test(t, func(t *testing.T) {
		c, err := Open(Config{CalibrationFile: file}, Settings{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		c.Count(reported("acme-1", 2000))
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("it was written at the first call: %v", err)
		}
		<-time.After(saveEvery)
		c.Count(reported("acme-1", 2000))
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	})
}

func TestCalibrationThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sub", "calibration.json")
	if _, err := Open(Config{CalibrationFile: file}, Settings{}); err == nil {
		t.Error("a folder that is not there is taken")
	}
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Open(Config{CalibrationFile: file}, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	c.Count(reported("acme-1", 2000))
	if err := c.Close(); err == nil || !strings.Contains(err.Error(), "write calibration") {
		t.Errorf("the folder is gone: %v", err)
	}
	// It is tried again.
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// A file that is not ours is refused, and stays as it is.
func TestForeignCalibrationFilesAreRefused(t *testing.T) {
	f := func(text string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{CalibrationFile: file}, Settings{}); err == nil || !strings.Contains(err.Error(), "written over") {
			t.Errorf("%.60q: %v", text, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%.60q was changed: %v", text, err)
		}
	}
	f("")
	f("listen: :8080\n")
	f("[]")
	f(`{"schema":"spanwire.prices/1"}`)
	f(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"","calls":5,"tokens":[[1,1]]}]}`)
	f(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"m","calls":0,"tokens":[[1,1]]}]}`)
	f(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"m","calls":5,"tokens":[]}]}`)
	f(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"m","calls":5,"tokens":[[0,1]]}]}`)
	f(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"m","calls":5,"tokens":[[1,-1]]}]}`)
	f(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"m","calls":5,"tokens":[[1,99999999999]]}]}`)
	f(strings.Repeat(" ", maxSnapshot+1))
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(`{"schema":"spanwire.calibration/2","models":[{"provider":"a","model":"m","tools":true,"calls":5,"tokens":[[10,12],[7,9]],"last":"2026-11-21T00:00:00Z"}]}`))
	f.Add([]byte(`{"schema":"spanwire.calibration/1","models":[{"provider":"a","model":"m","calls":5,"counted":10,"actual":12,"last":"2026-11-21T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var fs factors
		if fs.parse(data) != nil {
			return
		}
		fs.changed = true
		again, _ := fs.snapshot()
		var back factors
		if err := back.parse(again); err != nil || len(back.models) != len(fs.models) {
			t.Errorf("%s does not read back: %v", again, err)
		}
	})
}

func TestFactorIsExact(t *testing.T) {
	f := func(n, num, den, want int64) {
		t.Helper()
		if got := (factor{num, den}).of(n); got != want {
			t.Errorf("%d × %d/%d: %d, want %d", n, num, den, got, want)
		}
	}
	f(0, 3, 2, 0)
	f(1, 3, 2, 2)
	f(1, 4, 3, 1)
	f(math.MaxInt64, 1, 1, math.MaxInt64)
	f(math.MaxInt64, 3, 2, math.MaxInt64)
	f(-5, 3, 2, 0)
}

// Texts of an answer that follow each other are one text, wherever they were cut.
func TestAnswerInPiecesCountsAsOne(t *testing.T) {
	whole := chatCall("gpt-4o")
	whole.Output = []llm.Message{answer("It doesn't matter, unbelievable as it is.")}
	New().Count(whole)
	cut := chatCall("gpt-4o")
	cut.Output = []llm.Message{{Role: "assistant"}}
	for _, r := range "It doesn't matter, unbelievable as it is." {
		cut.Output[0].Parts = append(cut.Output[0].Parts, llm.Part{Type: llm.PartText, Content: string(r)})
	}
	cut.Ended = llm.EndClientGone
	New().Count(cut)
	a, _ := whole.Usage.Output()
	b, _ := cut.Usage.Output()
	if a != b || cut.Usage.Source != llm.UsagePartial {
		t.Errorf("%d tokens in pieces (%s), %d as a whole", b, cut.Usage.Source, a)
	}
}
