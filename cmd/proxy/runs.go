package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/runs"
	"github.com/spanwire/spanwire/tracing"
)

// publishRuns makes the counts of the linker metrics.
func publishRuns(t *tracing.Tracing, l *runs.Linker) error {
	if l == nil {
		return nil
	}
	read := func(field func(runs.Stats) int64) func() int64 {
		return func() int64 { return field(l.Stats()) }
	}
	bound := func(name string) llm.Attr { return llm.Attr{Key: "bound", Value: name} }
	return errors.Join(
		t.Counter("spanwire.runs.calls", "{call}", "Calls that were given a place in a run.", read(func(s runs.Stats) int64 { return s.Calls })),
		t.Counter("spanwire.runs.linked", "{call}", "Calls that go on from an earlier one.", read(func(s runs.Stats) int64 { return s.Linked })),
		t.Counter("spanwire.runs.ambiguous", "{call}", "Calls that could go on from several others, and were linked to none.", read(func(s runs.Stats) int64 { return s.Ambiguous })),
		t.Counter("spanwire.runs.retries", "{call}", "Calls that ask the same as one that failed.", read(func(s runs.Stats) int64 { return s.Retries })),
		t.Counter("spanwire.runs.repeats", "{call}", "Calls that ask the same as one that was answered.", read(func(s runs.Stats) int64 { return s.Repeats })),
		t.Counter("spanwire.runs.subagents", "{run}", "Runs that a tool call of another run started.", read(func(s runs.Stats) int64 { return s.SubAgents })),
		t.Counter("spanwire.runs.tools", "{tool}", "Tools that ran between two calls.", read(func(s runs.Stats) int64 { return s.Tools })),
		t.Counter("spanwire.runs.ended", "{run}", "Runs whose span was exported.", read(func(s runs.Stats) int64 { return s.RunsEnded })),
		t.Counter("spanwire.runs.early", "{run}", "Runs that had to end for want of memory.", read(func(s runs.Stats) int64 { return s.RunsEarly })),
		t.Counter("spanwire.runs.late", "{run}", "Runs to which a call came after their span was exported; it is exported again.", read(func(s runs.Stats) int64 { return s.RunsLate })),
		t.Gauge("spanwire.runs.open", "{run}", "Runs that go on.", read(func(s runs.Stats) int64 { return int64(s.RunsOpen) })),
		t.Gauge("spanwire.runs.remembered", "{call}", "Calls that can still be gone on from.", read(func(s runs.Stats) int64 { return int64(s.Remembered) })),
		t.Gauge("spanwire.runs.size", "By", "About what remembered calls and open runs take in memory.", read(func(s runs.Stats) int64 { return s.Bytes + s.RunBytes })),
		t.Counter("spanwire.runs.forgotten", "{call}", "Calls forgotten, by the bound that it was for.", read(func(s runs.Stats) int64 { return s.ForgottenAge }), bound("age")),
		t.Counter("spanwire.runs.forgotten", "{call}", "Calls forgotten, by the bound that it was for.", read(func(s runs.Stats) int64 { return s.ForgottenBytes }), bound("bytes")),
		t.Counter("spanwire.runs.sessions.forgotten", "{session}", "Sessions whose sums were forgotten for want of memory: their runs tell none.", read(func(s runs.Stats) int64 { return s.ForgottenSessions })),
	)
}

// runsCommand returns the commands about runs.
func runsCommand(load func() (loaded, error), s settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "See what agents did",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var stable bool
	tree := &cobra.Command{
		Use:   "tree FILE",
		Short: "Show the spans of a file as trees",
		Long: `tree reads a file that an exporter of type file wrote (tracing.exporters), or standard
input for -, and shows the spans as trees: runs, calls, tools with arguments and results.`,
		Args: oneArgument("a file of spans, or - for standard input"),
		RunE: func(_ *cobra.Command, args []string) error { return printTrees(s.stdout, args[0], stable) },
	}
	tree.Flags().BoolVar(&stable, "stable", false, "leave out what differs each time: durations, tokens, cost")
	explain := &cobra.Command{
		Use:   "explain CALL_ID",
		Short: "Say why a call was placed where it is",
		Long: `explain asks the Spanwire that runs here, by its admin address, why a call (its
x-spanwire-call-id) goes on from another one or from none: which calls were looked at,
what the evidence was, which guards spoke against them.`,
		Args: oneArgument("the id of a call: the header x-spanwire-call-id of its answer, or the column ID of `calls`"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			text, err := askAdmin(cmd.Context(), cfg.Admin, "/runs/explain?call="+url.QueryEscape(args[0]))
			if err != nil {
				return fmt.Errorf("runs explain: %w", err)
			}
			_, err = io.WriteString(s.stdout, text)
			return err
		},
	}
	cmd.AddCommand(tree, explain)
	return cmd
}

// printTrees shows a file of spans.
func printTrees(out io.Writer, file string, stable bool) error {
	var in io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("open spans: %w", err)
		}
		defer f.Close()
		in = f
	}
	spans, err := readSpans(in)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return writeTrees(out, spans, stable)
}
