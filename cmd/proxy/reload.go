package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spanwire/spanwire/proxy"
)

// fixed are the keys, and sections, that a running program does not change.
var fixed = []string{"listen", "admin", "pprof", "log.format", "recorder", "runs", "tokenizer", "tracing", "capture", "data_dir", "store", "journal", "audit", "encryption"}

// reloader takes up a changed configuration. It is used by one goroutine.
type reloader struct {
	cfg   loaded
	began Config // what the program was started with
	load  func() (loaded, error)
	live  *live
	relay *proxy.Server
	certs *certificates
	level *slog.LevelVar
	log   *slog.Logger
	watch *fileWatch  // on the files of cfg, since before they were read
	done  func(error) // nil, or told how each attempt ended
}

// wait serves signals and watches the files until the run is to end. It returns
// nil when that was asked for.
func (r *reloader) wait(ctx context.Context, s settings, failed <-chan error) error {
	every := s.poll
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case sig := <-s.signals:
			if sig != syscall.SIGHUP {
				return nil
			}
			r.reload("SIGHUP")
		case <-tick.C:
			if r.watch.changed() {
				r.reload("a file changed")
			}
		}
	}
}

// reload reads the configuration again. What is invalid is refused as a whole:
// the old one stays.
func (r *reloader) reload(why string) {
	r.watch.settle()
	err := r.take(why)
	if err == nil {
		r.watch = r.cfg.watch
	} else {
		r.log.Error("the new configuration is refused, the old one stays", "cause", why, "error", err)
	}
	if r.done != nil {
		r.done(err)
	}
}

func (r *reloader) take(why string) error {
	next, err := r.load()
	if err != nil {
		return err
	}
	if (next.TLS.Cert == "") != (r.cfg.TLS.Cert == "") {
		r.log.Warn("TLS is switched on or off by a restart only", "keys", "tls")
		next.TLS = r.cfg.TLS
	}
	var now, later []string
	changed := differ(&r.cfg.Config, &next.Config)
	for _, key := range changed {
		if !isFixed(key) {
			now = append(now, key)
		}
	}
	for _, key := range differ(&r.began, &next.Config) {
		if isFixed(key) {
			later = append(later, key)
		}
	}
	if err := r.apply(next); err != nil {
		return err
	}
	switch {
	case changed == nil:
		now = []string{"a file that a key names"} // a table of prices, a certificate
	case now == nil:
		now = []string{"nothing that changes while running"}
	}
	r.log.Info("configuration taken up", "cause", why, "changed", strings.Join(now, " "))
	if later != nil {
		r.log.Warn("some keys change at the next start only", "keys", strings.Join(later, " "))
	}
	return nil
}

// apply puts everything that can change into force. Each part checks before it
// changes anything, and those that can refuse come first.
func (r *reloader) apply(next loaded) error {
	cert, err := next.certificate()
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if err := r.live.set(next.Config); err != nil {
		return err
	}
	if err := r.relay.Reconfigure(next.Proxy); err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	r.certs.set(cert)
	// The level was checked with the rest of the configuration.
	_ = r.level.UnmarshalText([]byte(next.Log.Level))
	r.cfg = next
	return nil
}

func isFixed(key string) bool {
	for _, f := range fixed {
		if key == f || strings.HasPrefix(key, f+".") {
			return true
		}
	}
	return false
}

// differ returns the keys at which two configurations are not the same.
func differ(a, b *Config) []string {
	var keys []string
	other := leaves(reflect.ValueOf(b).Elem(), "")
	for i, l := range leaves(reflect.ValueOf(a).Elem(), "") {
		if !reflect.DeepEqual(l.field.Interface(), other[i].field.Interface()) {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// fileWatch notices that one of some files has changed, however it was written:
// in place, by a rename over it, or behind a symbolic link as Kubernetes does. It
// looks instead of being told, which works on every kind of mount. It is made
// before the files are read, so that a change while they are read is seen later.
type fileWatch struct {
	files []string
	seen  []string // what each of the files looked like at first
	last  []string // … and at the last look
}

func newFileWatch(files ...string) *fileWatch {
	now := look(files)
	return &fileWatch{files: files, seen: now, last: now}
}

// settle takes what the files look like now as known.
func (w *fileWatch) settle() {
	w.last = look(w.files)
	w.seen = w.last
}

// follow returns a watch on other files. A file of both is known as it was.
func (w *fileWatch) follow(files []string) *fileWatch {
	next := newFileWatch(files...)
	for i, f := range files {
		if j := slices.Index(w.files, f); j >= 0 {
			next.seen[i] = w.seen[j]
		}
	}
	return next
}

// changed says whether the files differ from the first look and have come to
// rest: they looked the same last time, so that no half-written file is read.
func (w *fileWatch) changed() bool {
	now := look(w.files)
	rest := slices.Equal(now, w.last)
	w.last = now
	return rest && !slices.Equal(now, w.seen)
}

// look returns what tells a file from what it was: an empty text when it is not there.
func look(files []string) []string {
	out := make([]string, len(files))
	for i, f := range files {
		if info, err := os.Stat(f); err == nil {
			out[i] = fmt.Sprintf("%d %d", info.ModTime().UnixNano(), info.Size())
		}
	}
	return out
}
