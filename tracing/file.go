package tracing

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// fileSender appends one line of OTLP JSON an export, as the OTLP file exporter
// specification has it, so that the Collector's otlpjsonfile receiver can read it
// (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/). Used by one
// goroutine at a time.
type fileSender struct {
	path   string
	rotate int64
	keep   int
	around envelope

	file *os.File // nil after a rotation that could not open a new one
	size int64
	raw  []byte
	line []byte
}

func openFile(e Exporter, _ environment, _ Settings, around envelope) (sender, error) {
	s := &fileSender{path: e.Path, rotate: e.RotateBytes, keep: e.RotateKeep, around: around}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *fileSender) String() string { return s.path }

func (s *fileSender) open() error {
	// Prompts and answers are nobody else's.
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open span file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open span file: %w", err)
	}
	s.file, s.size = f, info.Size()
	return nil
}

func (s *fileSender) send(_ context.Context, spans [][]byte) (int64, error) {
	s.raw = s.around.request(s.raw[:0], spans)
	line, err := jsonRequest(s.line[:0], s.raw)
	if err != nil {
		return 0, fmt.Errorf("write spans as JSON: %w", err)
	}
	s.line = append(line, '\n')
	if s.file == nil {
		if err := s.open(); err != nil {
			return 0, &sendError{err: err, retry: true}
		}
	}
	if s.rotate > 0 && s.size > 0 && s.size+int64(len(s.line)) > s.rotate {
		if err := s.turn(); err != nil {
			return 0, &sendError{err: err, retry: true}
		}
	}
	n, err := s.file.Write(s.line)
	s.size += int64(n)
	if err == nil {
		return 0, nil
	}
	if n > 0 {
		// Half a line would spoil the next one as well. When it cannot be taken
		// back either, it is at least ended.
		if s.file.Truncate(s.size-int64(n)) == nil {
			s.size -= int64(n)
		} else if _, endErr := s.file.WriteString("\n"); endErr == nil {
			s.size++
		}
	}
	return 0, &sendError{err: fmt.Errorf("write span file: %w", err), retry: true} // a full disk may have room later
}

// turn sets the file aside under its time and begins a new one.
func (s *fileSender) turn() error {
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close span file: %w", err)
	}
	s.file = nil
	ext := filepath.Ext(s.path)
	base := s.path[:len(s.path)-len(ext)]
	aside := base + "-" + time.Now().UTC().Format("20060102T150405.000000000") + ext
	renameErr := os.Rename(s.path, aside)
	if err := s.open(); err != nil {
		return err
	}
	if renameErr != nil {
		return fmt.Errorf("set span file aside: %w", renameErr)
	}
	if s.keep == 0 {
		return nil
	}
	old, err := filepath.Glob(escapeGlob(base) + "-????????T??????.?????????" + escapeGlob(ext))
	if err != nil {
		return fmt.Errorf("find old span files: %w", err)
	}
	slices.Sort(old)
	for len(old) > s.keep {
		if err := os.Remove(old[0]); err != nil {
			return fmt.Errorf("remove old span file: %w", err)
		}
		old = old[1:]
	}
	return nil
}

func escapeGlob(s string) string {
	var out []byte
	for i := range len(s) {
		switch s[i] {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(out)
}

func (s *fileSender) keeps() bool { return false }

func (s *fileSender) close() error {
	if s.file == nil {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		s.file.Close()
		return fmt.Errorf("sync span file: %w", err)
	}
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close span file: %w", err)
	}
	return nil
}
