package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Config is what users set.
type Config struct {
	// CalibrationFile keeps across restarts what was learnt of models whose
	// vocabulary is not public; "" keeps it in memory only.
	CalibrationFile string `mapstructure:"calibration_file"`
}

// Settings are what the program gives a counter.
type Settings struct {
	Log *slog.Logger
	// Stands says which model a name of a call stands for, where it is one of the
	// operator's own (a deployment): "gpt-4o" or "openai/gpt-4o"; "" where the name is
	// the model's. It is called by many goroutines. Nil: every name is the model's.
	Stands func(call *llm.Call, name string) string
}

// saveEvery is how often what was learnt is written while the program runs.
const saveEvery = 5 * time.Minute

// Schema is the format of the calibration file. Of a file of schemaOne nothing is taken:
// it mixes what is learnt apart now.
const (
	Schema    = "spanwire.calibration/2"
	schemaOne = "spanwire.calibration/1"
)

// maxSnapshot bounds a file that is read.
const maxSnapshot = 4 << 20

type (
	snapshotFile struct {
		Schema string         `json:"schema"`
		Models []snapshotLine `json:"models"`
	}
	snapshotLine struct {
		Provider  string     `json:"provider"`
		Model     string     `json:"model"`
		Tools     bool       `json:"tools,omitempty"`     // of prompts with tools
		Responses bool       `json:"responses,omitempty"` // of the Responses API
		Calls     int64      `json:"calls"`
		Pairs     [][2]int64 `json:"tokens"` // of the last calls: of o200k_base, and as reported
		Last      time.Time  `json:"last"`
	}
)

// keeper writes factors to a file, one writer at a time.
type keeper struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	next time.Time
}

// Open is New with what an earlier run learnt, when the configuration names a file
// for it. The file need not exist. One that is something else is refused and not
// touched. Close writes it.
func Open(cfg Config, s Settings) (*Counter, error) {
	c := New()
	c.stands = s.Stands
	if cfg.CalibrationFile == "" {
		return c, nil
	}
	if err := c.factors.read(cfg.CalibrationFile); err != nil {
		return nil, fmt.Errorf("calibration_file: %w", err)
	}
	c.keeper = &keeper{path: cfg.CalibrationFile, log: s.Log, next: time.Now().Add(saveEvery)}
	return c, nil
}

// Close keeps what was learnt. The counter may be used further, and closed again.
func (c *Counter) Close() error {
	if c.keeper == nil {
		return nil
	}
	c.keeper.mu.Lock()
	defer c.keeper.mu.Unlock()
	return c.factors.save(c.keeper.path)
}

// keep writes the file now and then, on the goroutine of whoever counts. While one
// writes the others go on.
func (c *Counter) keep() {
	k := c.keeper
	if k == nil || !k.mu.TryLock() {
		return
	}
	defer k.mu.Unlock()
	now := time.Now()
	if now.Before(k.next) {
		return
	}
	k.next = now.Add(saveEvery)
	if err := c.factors.save(k.path); err != nil {
		k.log.Error("what was learnt of token counts could not be kept", "error", err)
	}
}

// save writes the file, if anything is new, so that at any time it is whole: the
// old one or the new one.
func (fs *factors) save(path string) error {
	data, changed := fs.snapshot()
	if !changed {
		return nil
	}
	if err := replaceFile(path, data); err != nil {
		fs.mu.Lock()
		fs.changed = true
		fs.mu.Unlock()
		return fmt.Errorf("write calibration: %w", err)
	}
	return nil
}

func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error says it
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// snapshot writes all models in a fixed order, one a line.
func (fs *factors) snapshot() (data []byte, changed bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !fs.changed {
		return nil, false
	}
	fs.changed = false
	lines := make([]string, 0, len(fs.models))
	for k, l := range fs.models {
		if l.calls == 0 {
			continue
		}
		s := snapshotLine{Provider: k.provider, Model: k.model, Tools: k.tools, Responses: k.responses, Calls: l.calls, Last: l.last.UTC()}
		for _, p := range l.pairs {
			s.Pairs = append(s.Pairs, [2]int64{p.counted, p.actual})
		}
		line, err := json.Marshal(s)
		if err != nil {
			continue // a date that JSON cannot hold
		}
		lines = append(lines, "  "+string(line))
	}
	sort.Strings(lines)
	return []byte("{\n \"schema\": \"" + Schema + "\",\n \"models\": [\n" + strings.Join(lines, ",\n") + "\n ]\n}\n"), true
}

func (fs *factors) read(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return writable(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSnapshot+1))
	if err != nil {
		return err
	}
	if err := fs.parse(data); err != nil {
		return fmt.Errorf("%s is no calibration of an earlier run, and would be written over: %w", path, err)
	}
	return nil
}

// writable says what is wrong with a folder that a file is to be made in.
func writable(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", dir)
	}
	return err
}

// parse reads a snapshot. Lines that cannot be, by hand or by damage, make all of
// it invalid: a wrong factor makes wrong numbers.
func (fs *factors) parse(data []byte) error {
	if len(data) > maxSnapshot {
		return fmt.Errorf("it has more than %d bytes", maxSnapshot)
	}
	var s snapshotFile
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s.Schema == schemaOne {
		return nil
	}
	if s.Schema != Schema {
		return fmt.Errorf("schema %.40q is not %q", s.Schema, Schema)
	}
	models := map[learnedKey]*learned{}
	for i, x := range s.Models {
		if x.Model == "" || len(x.Model) > maxName || len(x.Provider) > maxProvider ||
			len(x.Pairs) == 0 || len(x.Pairs) > recent || x.Calls < int64(len(x.Pairs)) {
			return fmt.Errorf("model %d of it has numbers that cannot be", i+1)
		}
		if len(models) == maxLearned {
			break
		}
		l := &learned{seen: x.Calls, calls: x.Calls, last: x.Last}
		for _, p := range x.Pairs {
			if min(p[0], p[1]) < 1 || max(p[0], p[1]) > maxTokens {
				return fmt.Errorf("model %d of it has numbers that cannot be", i+1)
			}
			l.pairs = append(l.pairs, pair{p[0], p[1]})
		}
		models[learnedKey{x.Provider, x.Model, x.Tools, x.Responses}] = l
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.models = models
	return nil
}
