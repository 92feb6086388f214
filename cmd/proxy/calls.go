package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// callsCommand is `proxy calls`: a list of what was kept.
func callsCommand(load func() (loaded, error)) *cobra.Command {
	var dir, since, until, status, session string
	var limit int
	var asJSON bool
	is := map[llm.Dimension]*[]string{}
	f := llm.Filter{Is: map[llm.Dimension][]string{}}
	cmd := &cobra.Command{
		Use:   "calls",
		Short: "List the calls that were kept, newest first",
		Long: `calls lists what the store has, newest first; a running Spanwire need not be stopped.
See one of them with its messages by the command call.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			var err error
			if f.From, err = ago(since, now); err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			if f.To, err = ago(until, now); err != nil {
				return fmt.Errorf("--until: %w", err)
			}
			for d, values := range is {
				if cmd.Flags().Changed(flagOf(d)) {
					f.Is[d] = *values
				}
			}
			if err := setStatus(&f, status); err != nil {
				return fmt.Errorf("--status: %w", err)
			}
			f.Session = session
			cfg, err := load()
			if err != nil {
				return err
			}
			r, err := readStore(&cfg.Config, dir)
			if err != nil {
				return err
			}
			defer r.Close()
			return listCalls(cmd, r, f, limit, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "folder of the store (default: data_dir of the configuration)")
	flags.StringVar(&since, "since", "", "from when on: 2h, 7d, 2026-11-21, or 2026-11-21T09:30:00Z")
	flags.StringVar(&until, "until", "", "up to when, in the same forms")
	for _, d := range []llm.Dimension{llm.DimTeam, llm.DimModel, llm.DimProvider, llm.DimOperation, llm.DimUser, llm.DimKey, llm.DimAgent, llm.DimTag, llm.DimError} {
		is[d] = flags.StringArray(flagOf(d), nil, "only of this "+flagOf(d)+`; several times for any of them, "" for none`)
	}
	flags.StringVar(&status, "status", "", "ok, error, or an HTTP status")
	flags.StringVar(&session, "session", "", "only of this session")
	flags.StringVar(&f.Text, "text", "", `only with these words, "words together" or beginnings*`)
	flags.DurationVar(&f.MinDuration, "min-duration", 0, "only those that took at least so long")
	flags.IntVarP(&limit, "limit", "n", 50, "how many at most")
	flags.BoolVar(&asJSON, "json", false, "one JSON object a line, with everything but what was said")
	return cmd
}

func flagOf(d llm.Dimension) string { return strings.ReplaceAll(string(d), "_", "-") }

func setStatus(f *llm.Filter, s string) error {
	switch s {
	case "":
		return nil
	case "ok", "error":
		f.Is[llm.DimOutcome] = []string{s}
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 100 || n > 999 {
		return fmt.Errorf("%q is none of ok, error, or a status such as 429", s)
	}
	f.Status = n
	return nil
}

// ago reads a time: a duration before now, with days as well, or what moment reads.
func ago(s string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 1e5 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := moment(s, false)
	if err != nil {
		return t, fmt.Errorf("%q is no duration such as 90m or 7d, no day such as 2026-11-21 and no time such as 2026-11-21T09:30:00Z", s)
	}
	return t, nil
}

func listCalls(cmd *cobra.Command, r *store.Reader, f llm.Filter, limit int, asJSON bool) error {
	if limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	out := cmd.OutOrStdout()
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "START\tTOOK\tTEAM\tMODEL\tSTATUS\tIN\tOUT\tCOST\tID\tPROMPT")
	}
	n := 0
	for after := ""; ; {
		page, err := r.Calls(cmd.Context(), f, after, min(limit-n, 1000))
		if err != nil {
			return err
		}
		for i := range page.Calls {
			row := &page.Calls[i]
			if asJSON {
				err = json.NewEncoder(out).Encode(rowJSON(row))
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Start.Local().Format("01-02 15:04:05"), took(row.Duration), safe(row.Team, 20), safe(row.Model, 32),
					statusOf(row), countText(row.Input), countText(row.Output), costText(row.Cost, row.Currency), safe(row.ID, 40), safe(row.Preview, 60))
			}
			if err != nil {
				return err
			}
		}
		n += len(page.Calls)
		if after = page.Next; after == "" || n >= limit {
			break
		}
	}
	if asJSON {
		return nil
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if n == 0 {
		_, err := fmt.Fprintln(out, "no such calls")
		return err
	}
	return nil
}

func statusOf(row *llm.CallRow) string {
	s := strconv.Itoa(row.Status)
	if row.Failed {
		s += " " + safe(row.Error, 24)
	}
	return s
}

func took(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	if d > 0 && d < time.Millisecond {
		return "<1ms"
	}
	return d.Round(time.Millisecond).String()
}

// unknown stands for a number that nobody told.
const unknown = "?"

func countText(c llm.Count) string {
	if !c.Known {
		return unknown
	}
	return strconv.FormatInt(c.N, 10)
}

func costText(c llm.Count, currency llm.Currency) string {
	if !c.Known {
		return unknown
	}
	return llm.Money{Amount: llm.Pico(c.N), Currency: currency}.String()
}

// safe returns a text for a terminal: on one line, without what a terminal would take
// for a command, and not longer than n runes.
func safe(s string, n int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if n--; n < 0 {
			b.WriteRune('…')
			break
		}
		if !strconv.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// rowJSON is a row of a list as JSON: unknown numbers are absent, money is exact text,
// under names with _usd where it is in US dollars and else with its currency beside it.
func rowJSON(row *llm.CallRow) map[string]any {
	out := map[string]any{"id": row.ID, "start": row.Start, "duration_ms": float64(row.Duration) / 1e6, "status": row.Status, "failed": row.Failed, "stream": row.Stream,
		"trace": hex.EncodeToString(row.Trace[:]), "span": hex.EncodeToString(row.Span[:])}
	texts := map[string]string{"team": row.Team, "model": row.Model, "provider": row.Provider, "operation": row.Operation, "key": row.Key, "user": row.User, "agent": row.Agent,
		"run": row.Run, "session": row.Session, "error": row.Error, "usage_source": string(row.UsageSource), "cost_source": string(row.CostSource), "cost_status": string(row.CostStatus), "preview": row.Preview}
	for k, v := range texts {
		if v != "" {
			out[k] = v
		}
	}
	for k, c := range map[string]llm.Count{"input_tokens": row.Input, "output_tokens": row.Output, "cache_read_tokens": row.CacheRead, "cache_write_tokens": row.CacheWrite, "reasoning_tokens": row.Reasoning} {
		if c.Known {
			out[k] = c.N
		}
	}
	for _, x := range []struct {
		name     string
		cost     llm.Count
		currency llm.Currency
	}{{"cost", row.Cost, row.Currency}, {"cost_was", row.CostWas, row.CurrencyWas}} {
		switch {
		case !x.cost.Known:
		case x.currency == llm.USD:
			out[x.name+"_usd"] = llm.Pico(x.cost.N).String()
		default:
			out[x.name], out[x.name+"_currency"] = llm.Pico(x.cost.N).String(), x.currency
		}
	}
	if row.FirstToken > 0 {
		out["first_token_ms"] = float64(row.FirstToken) / 1e6
	}
	if row.Parent != [8]byte{} {
		out["parent"] = hex.EncodeToString(row.Parent[:])
	}
	return out
}

// callCommand is `proxy call`: one call for people.
func callCommand(load func() (loaded, error)) *cobra.Command {
	var dir, raw string
	cmd := &cobra.Command{
		Use:   "call ID",
		Short: "Show a call that was kept, with its messages, tools and cost",
		Args:  oneArgument("the id of a call: the header x-spanwire-call-id of its answer, or the column ID of `calls`"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			r, err := readStore(&cfg.Config, dir)
			if err != nil {
				return err
			}
			defer r.Close()
			c, err := r.Call(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			out := card(c)
			if raw != "" {
				if out, err = rawBody(c, raw); err != nil {
					return err
				}
			}
			_, err = io.WriteString(cmd.OutOrStdout(), out)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the store (default: data_dir of the configuration)")
	cmd.Flags().StringVar(&raw, "raw", "", "request or response: its body, byte for byte, where capture.raw was on")
	return cmd
}

// rawBody returns a body as it went over the wire, or why it cannot.
func rawBody(c *llm.Call, which string) (string, error) {
	if which != "request" && which != "response" {
		return "", fmt.Errorf("--raw: %q is neither request nor response", which)
	}
	if c.Raw == nil {
		return "", fmt.Errorf("the bodies of call %s were not kept: capture.raw was off, or they are not to be kept", c.ID)
	}
	body, cut, redacted := c.Raw.Request, c.Raw.RequestCut, c.Raw.RequestRedacted
	if which == "response" {
		body, cut, redacted = c.Raw.Response, c.Raw.ResponseCut, c.Raw.ResponseRedacted
	}
	switch {
	case cut:
		return "", fmt.Errorf("the %s of call %s was longer than what is copied (proxy.capture_request_bytes)", which, c.ID)
	case redacted:
		return "", fmt.Errorf("the %s of call %s had a credential in it, which was taken out: it is not what it was", which, c.ID)
	}
	return body, nil
}
