package tracing

import (
	"context"
	"fmt"
	"io"
	"os"
)

// stdoutSender writes calls for people, each as a block of lines. Used by one
// goroutine at a time.
type stdoutSender struct {
	out io.Writer
	buf []byte
}

func openStdout(_ Exporter, _ environment, s Settings, _ envelope) (sender, error) {
	return &stdoutSender{out: stdoutOf(s)}, nil
}

func stdoutOf(s Settings) io.Writer {
	if s.Stdout != nil {
		return s.Stdout
	}
	return os.Stdout
}

func (s *stdoutSender) send(_ context.Context, blocks [][]byte) (int64, error) {
	s.buf = s.buf[:0]
	for _, b := range blocks {
		s.buf = append(s.buf, b...)
	}
	if _, err := s.out.Write(s.buf); err != nil {
		return 0, fmt.Errorf("write calls: %w", err)
	}
	return 0, nil
}

func (s *stdoutSender) String() string { return "standard output" }

func (s *stdoutSender) keeps() bool { return false }

func (s *stdoutSender) close() error { return nil }

// wantsColour says whether out is a terminal of someone who has not asked for
// plain text (https://no-color.org).
func wantsColour(out io.Writer, env environment) bool {
	f, ok := out.(*os.File)
	if !ok || env.get("NO_COLOR") != "" || env.get("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
