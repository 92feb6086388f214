package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spanwire/spanwire/tokenizer"
	"github.com/spanwire/spanwire/tracing"
)

// checkConfig builds all that a configuration describes, as far as that can be
// done without listening or sending, and says what it found. What load reports
// has been checked by then.
func checkConfig(cfg loaded, s settings) error {
	for _, w := range cfg.warnings {
		fmt.Fprintf(s.stderr, "warning: %s\n", w)
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := newLive(cfg.Config, log); err != nil {
		return err
	}
	if _, err := tokenizer.Open(cfg.Tokenizer, tokenizer.Settings{Log: log}); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	traces, err := tracing.New(cfg.Tracing, tracing.Settings{Version: version, Stdout: s.stdout, Log: log})
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	exporters := traces.Exporters()
	// Nothing was recorded and nothing is to be sent: there is nothing to wait for.
	done, cancel := context.WithCancel(context.Background())
	cancel()
	_ = traces.Close(done)

	from := cfg.file
	if from == "" {
		from = "no file, so the defaults and the environment"
	}
	fmt.Fprintf(s.stdout, "configuration is valid (%s)\n", from)
	for _, e := range exporters {
		fmt.Fprintf(s.stdout, "spans: %s\n", e)
	}
	if len(exporters) == 0 {
		fmt.Fprintln(s.stdout, "spans: nowhere (no exporter is configured)")
	}
	fmt.Fprint(s.stdout, kept(cfg.Config))
	return nil
}
