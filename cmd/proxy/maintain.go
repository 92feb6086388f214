package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/store"
)

// storeCommand is `proxy store`: whether what was kept is whole.
func storeCommand(load func() (loaded, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Check the store",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var dir string
	check := &cobra.Command{
		Use:   "check",
		Short: "Read everything in the store and say what does not fit",
		Long: `check reads every call and everything that was said, and says what is damaged,
missing or counted wrongly. It exits with 1 when something is. A running Spanwire need
not be stopped.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := openReader(load, dir)
			if err != nil {
				return err
			}
			defer r.Close()
			rep, err := r.Check(cmd.Context())
			if err != nil {
				return err
			}
			return reportCheck(cmd.OutOrStdout(), rep)
		},
	}
	dirFlag(check, &dir)
	cmd.AddCommand(check)
	return cmd
}

func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "folder of the store (default: data_dir of the configuration)")
}

func openReader(load func() (loaded, error), dir string) (*store.Reader, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	return readStore(&cfg.Config, dir)
}

// reportCheck says what was found; it returns an error when something does not fit.
func reportCheck(out io.Writer, rep store.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "days      %d\ncalls     %d, of %d what was said is kept, in %d pieces\n", rep.Days, rep.Calls, rep.Spoken, rep.Pieces)
	if rep.Sealed > 0 {
		fmt.Fprintf(&b, "encrypted %d calls were not looked into: there is no key\n", rep.Sealed)
	}
	if rep.Orphans > 0 {
		fmt.Fprintf(&b, "leftovers of %d calls that a crash cut off; they go with the next call of their day\n", rep.Orphans)
	}
	for _, p := range rep.Problems {
		fmt.Fprintf(&b, "PROBLEM   %s\n", safe(p, 400))
	}
	if len(rep.Problems) == 0 {
		b.WriteString("result    everything fits\n")
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if len(rep.Problems) > 0 {
		return errors.New("the store is damaged: " + safe(rep.Problems[0], 400))
	}
	return nil
}

// repriceCommand is `proxy reprice`: what stored calls cost by the prices of now.
func repriceCommand(load func() (loaded, error)) *cobra.Command {
	var dir, since string
	var try bool
	cmd := &cobra.Command{
		Use:   "reprice --since TIME",
		Short: "Price stored calls anew, after a change of the prices",
		Long: `reprice prices the calls of whole days, from the day of --since on, by the prices of
the configuration, and makes their totals anew. What a call cost before stays beside
it. What a provider told stays as it is. A running Spanwire need not be stopped; give it
the new prices first, so that no call comes after with the old ones. --try says what
would change, and changes nothing.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := ago(since, time.Now())
			if err != nil || from.IsZero() {
				return fmt.Errorf("--since: %w", errors.Join(err, need(since)))
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			table, err := cfg.Pricing.table()
			if err != nil {
				return fmt.Errorf("pricing: %w", err)
			}
			if dir != "" {
				cfg.DataDir = dir
			}
			if r, err := readStore(&cfg.Config, ""); err != nil {
				return err // and none is made
			} else if err := r.Close(); err != nil {
				return err
			}
			done, err := store.Reprice(cmd.Context(), cfg.DataDir, cfg.Store, from, table.Price, try)
			if err != nil {
				return err
			}
			return reportReprice(cmd.OutOrStdout(), done, table.AsOf(), try)
		},
	}
	dirFlag(cmd, &dir)
	cmd.Flags().StringVar(&since, "since", "", "from when on: 7d, or 2026-11-01")
	cmd.Flags().BoolVar(&try, "try", false, "say what would change, and change nothing")
	return cmd
}

func need(s string) error {
	if s == "" {
		return errors.New("say from when on, such as 7d or 2026-11-01")
	}
	return nil
}

func reportReprice(out io.Writer, done store.Repriced, asOf string, try bool) error {
	verb := "cost something else now"
	if try {
		verb = "would cost something else"
	}
	_, err := fmt.Fprintf(out, "%d calls were priced by the table of %s; %d %s: %s before, %s after\n", done.Calls, asOf, done.Changed, verb, done.Before, done.After)
	return err
}
