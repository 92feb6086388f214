package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/journal"
)

// auditCommand is `proxy audit`: what the journal proves, and its content.
func auditCommand(load func() (loaded, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify and export the journal",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verifyCommand(load), exportCommand(load))
	return cmd
}

// part is which part of which journal a command is about.
type part struct{ dir, from, to string }

func (p *part) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.dir, "dir", "", "folder of the journal, or a data_dir or backup with one (default: that of the configuration)")
	cmd.Flags().StringVar(&p.from, "from", "", "first moment, such as 2026-11-21 or 2026-11-21T09:30:00Z")
	cmd.Flags().StringVar(&p.to, "to", "", "last moment, in the same forms; a day is meant whole")
}

func (p *part) rng() (r journal.Range, err error) {
	if r.From, err = moment(p.from, false); err != nil {
		return r, fmt.Errorf("--from: %w", err)
	}
	if r.To, err = moment(p.to, true); err != nil {
		return r, fmt.Errorf("--to: %w", err)
	}
	if !r.From.IsZero() && !r.To.IsZero() && r.To.Before(r.From) {
		return r, fmt.Errorf("--to %s is before --from %s", p.to, p.from)
	}
	return r, nil
}

// journalWithin returns the folder of the journal in a folder: that itself, or the one that
// a data_dir or a backup has it in.
func journalWithin(dir string) string {
	if found, err := filepath.Glob(filepath.Join(dir, "*.journal")); err == nil && len(found) == 0 {
		if info, err := os.Stat(filepath.Join(dir, journalFolder)); err == nil && info.IsDir() {
			return filepath.Join(dir, journalFolder)
		}
	}
	return dir
}

// moment reads a time, or a day in UTC: its first moment, or its last.
func moment(s string, last bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a day such as 2026-11-21 nor a time such as 2026-11-21T09:30:00Z", s)
	}
	if last {
		day = day.AddDate(0, 0, 1).Add(-1)
	}
	return day, nil
}

// journalIn says whether there is a journal in a folder.
func journalIn(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nowhere("journal", dir)
	}
	return nil // what else is wrong with it shows when it is read
}

func verifyCommand(load func() (loaded, error)) *cobra.Command {
	var p part
	var key string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no record of the journal was changed, removed or put in",
		Long: `verify reads the journal from disk and checks each record, the chain of hashes that
they form, and the signatures of checkpoints. It exits with 1 when one does not hold
and names the first such record. A running Spanwire need not be stopped.

What was cut off the end after the last checkpoint leaves no trace in the journal
itself: compare the last checkpoint with the one that the log of the program names.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rng, err := p.rng()
			if err != nil {
				return err
			}
			dir, trusted := journalWithin(p.dir), ed25519.PublicKey(nil)
			if p.dir == "" || key == "" {
				cfg, err := load()
				if err != nil {
					return err
				}
				if p.dir == "" {
					dir = cfg.journalDir()
				}
				if private, err := cfg.signingKey(); err != nil {
					return fmt.Errorf("audit.signing_key: %w", err)
				} else if private != nil {
					trusted = private.Public().(ed25519.PublicKey)
				}
			}
			if key != "" {
				if trusted, err = journal.PublicKey(key); err != nil {
					return fmt.Errorf("--key: %w", err)
				}
			}
			if err := journalIn(dir); err != nil {
				return err
			}
			r, err := journal.Verify(cmd.Context(), dir, rng, trusted)
			if err != nil {
				return err
			}
			return reportVerify(cmd.OutOrStdout(), dir, r, trusted != nil)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&key, "key", "", "public key that must have signed, as hex or base64 (default: of audit.signing_key, else the key that each checkpoint names)")
	return cmd
}

// reportVerify says what was found; it returns an error when the chain is broken.
func reportVerify(out io.Writer, dir string, r journal.Report, trusted bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "journal   %s\n", dir)
	fmt.Fprintf(&b, "records   %d in %d segments: %d calls, %d checkpoints\n", r.Records, r.Segments, r.Calls, r.Checkpoints)
	if r.Records > 0 {
		fmt.Fprintf(&b, "range     record %d (%s) to record %d (%s)\n", r.First, r.From.Format(time.RFC3339), r.Last, r.To.Format(time.RFC3339))
		fmt.Fprintf(&b, "head      %s\n", r.Head)
	}
	if r.Stripped > 0 {
		fmt.Fprintf(&b, "content   of %d calls was dropped to save space; their records hold\n", r.Stripped)
	}
	if r.Sealed > 0 {
		fmt.Fprintf(&b, "encrypted content of %d calls; it was verified as it stands, without the key\n", r.Sealed)
	}
	switch {
	case r.Signed > 0:
		fmt.Fprintf(&b, "signed    up to record %d (%s); %d calls after it are not\n", r.Signed, r.SignedAt.Format(time.RFC3339), r.Unsigned)
		for _, k := range r.Keys {
			whose := "the key that the checkpoint names: compare it with yours, or give --key"
			if trusted {
				whose = "the expected key"
			}
			fmt.Fprintf(&b, "key       %s (%s)\n", k, whose)
		}
	default:
		b.WriteString("signed    no: there is no checkpoint (audit.signing_key)\n")
	}
	if r.Tail > 0 {
		fmt.Fprintf(&b, "tail      %d bytes of a write that is not finished: nothing that was acknowledged\n", r.Tail)
	}
	if r.Broken == nil {
		b.WriteString("result    every record is as it was written\n")
	} else {
		fmt.Fprintf(&b, "result    BROKEN at %v\n", r.Broken)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if r.Broken != nil {
		return fmt.Errorf("the journal is broken: %w", r.Broken)
	}
	return nil
}

func exportCommand(load func() (loaded, error)) *cobra.Command {
	var p part
	var file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the journal as JSON, one record a line",
		Long: `export writes every record of the journal as JSON, one a line. Contents that are
encrypted are opened with encryption.key of the configuration; without it they are left
out, and their calls say content_encrypted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rng, err := p.rng()
			if err != nil {
				return err
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			keys, err := cfg.keys()
			if err != nil {
				return fmt.Errorf("encryption.key: %w", err)
			}
			dir := journalWithin(p.dir)
			if p.dir == "" {
				dir = cfg.journalDir()
			}
			if err := journalIn(dir); err != nil {
				return err
			}
			if file == "" {
				_, err := journal.Export(cmd.Context(), dir, rng, keys, cmd.OutOrStdout())
				return err
			}
			// Prompts and answers are nobody else's, and no file is written over.
			f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("export journal: %w", err)
			}
			n, err := journal.Export(cmd.Context(), dir, rng, keys, f)
			if cerr := f.Close(); err == nil && cerr != nil {
				err = fmt.Errorf("export journal: %w", cerr)
			}
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records written to %s\n", n, file)
			}
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&file, "output", "", "file to write to, which must not exist (default: standard output)")
	return cmd
}
