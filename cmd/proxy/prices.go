package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// pricesCommand is `proxy prices`: what the price table says, and changes of it.
func pricesCommand(load func() (loaded, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prices",
		Short: "Check, compare, import and show prices",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(checkPricesCommand(load), diffPricesCommand(load), importPricesCommand(load), showPricesCommand(load))
	return cmd
}

func checkPricesCommand(load func() (loaded, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Validate a price table: FILE, or what the configuration makes of its own",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "the configured table"
			table, err := (*pricing.Table)(nil), error(nil)
			if len(args) > 0 {
				name = args[0]
				table, err = tableOf(name)
			} else {
				var cfg loaded
				if cfg, err = load(); err == nil {
					table, err = cfg.Pricing.table()
				}
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			s := table.Summary()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: as of %s, %d providers, %d models with %d names\n"+
				"%d with dates, %d with prices for long prompts, %d with service tiers of their own, %d free; in %s\n",
				name, s.AsOf, s.Providers, s.Models, s.Names, s.Dated, s.Long, s.Tiers, s.Free, strings.Join(s.Currencies, ", "))
			if err != nil {
				return err
			}
			return printSources(cmd.OutOrStdout(), table, s.Sources)
		},
	}
}

func tableOf(file string) (*pricing.Table, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return pricing.New(b)
}

// base returns the table that the configuration uses before its own rows.
func (p *Pricing) base() ([]byte, error) {
	if p.File == "" {
		return pricing.Embedded(), nil
	}
	return os.ReadFile(p.File)
}

func diffPricesCommand(load func() (loaded, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "diff FILE",
		Short: "Show what is different in FILE from the table in use",
		Args:  oneArgument("the file of the other table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			old, err := cfg.Pricing.base()
			if err != nil {
				return fmt.Errorf("read the table in use: %w", err)
			}
			next, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			changes, err := pricing.Diff(old, next)
			if err != nil {
				return err
			}
			return printChanges(cmd.OutOrStdout(), changes)
		},
	}
}

func importPricesCommand(load func() (loaded, error)) *cobra.Command {
	var from, out string
	var opts pricing.ImportOptions
	cmd := &cobra.Command{
		Use:   "import --from FORMAT FILE",
		Short: "Lay the price list of another project over the table in use",
		Long: `import reads the price list of another project (` + strings.Join(pricing.Formats, ", ") + `), lays it
over the table in use and shows every price that would change. Nothing is written
without --write, and never over FILE. Rows that cannot be taken are listed with the
reason. Use the written table with pricing.file.`,
		Args: oneArgument("the file of the price list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Format = from
			opts.What = fmt.Sprintf("%s, imported from %s", from, baseName(args[0]))
			if opts.AsOf == "" {
				opts.AsOf = time.Now().UTC().Format(time.DateOnly)
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			return importPrices(cmd.OutOrStdout(), cfg.Pricing, args[0], out, opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "format of FILE: "+strings.Join(pricing.Formats, ", "))
	f.StringVar(&out, "write", "", "write the resulting table to this file")
	f.StringSliceVar(&opts.Providers, "provider", nil, "take only this provider of the table; may be repeated")
	f.StringVar(&opts.AsOf, "as-of", "", "date of the list (default today)")
	if err := cmd.MarkFlagRequired("from"); err != nil {
		panic("BUG: " + err.Error())
	}
	return cmd
}

func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

func importPrices(w io.Writer, cfg Pricing, file, out string, opts pricing.ImportOptions) error {
	if out != "" && sameFile(out, file) {
		return errors.New("import: --write names the list itself")
	}
	table, err := cfg.base()
	if err != nil {
		return fmt.Errorf("read the table in use: %w", err)
	}
	list, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	in, err := pricing.ImportFrom(list, table, opts)
	if err != nil {
		return err
	}
	for _, s := range in.Skipped {
		if _, err := fmt.Fprintf(w, "skipped  %s\n", s); err != nil {
			return err
		}
	}
	if err := printChanges(w, in.Changes); err != nil {
		return err
	}
	end := "nothing is written without --write OUT"
	if out != "" {
		if err := os.WriteFile(out, in.Table, 0o644); err != nil {
			return err
		}
		end = "written to " + out
	}
	_, err = fmt.Fprintf(w, "%d models say the same, %d were skipped; %s\n", in.Same, len(in.Skipped), end)
	return err
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// printChanges writes one change a line, and how many models they are about.
func printChanges(w io.Writer, changes []pricing.Change) error {
	var b strings.Builder
	models := map[string]bool{}
	for _, c := range changes {
		name := c.Provider
		if c.Model != "" {
			name += "/" + c.Model
			models[name] = true
		}
		switch {
		case c.Field == "" && c.From == "":
			fmt.Fprintf(&b, "new      %s: %s\n", name, c.To)
		case c.Field == "":
			fmt.Fprintf(&b, "gone     %s: %s\n", name, c.From)
		default:
			fmt.Fprintf(&b, "changed  %s: %s: %s -> %s\n", name, c.Field, orNothing(c.From), orNothing(c.To))
		}
	}
	if len(changes) == 0 {
		b.WriteString("no differences\n")
	} else {
		fmt.Fprintf(&b, "%d differences in %d models\n", len(changes), len(models))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

func showPricesCommand(load func() (loaded, error)) *cobra.Command {
	var provider string
	cmd := &cobra.Command{
		Use:   "of MODEL",
		Short: "Show what a model costs, and where the price is from",
		Args:  oneArgument("the name of a model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			table, err := cfg.Pricing.table()
			if err != nil {
				return fmt.Errorf("pricing: %w", err)
			}
			cards := table.Cards(provider, args[0])
			if len(cards) == 0 {
				return fmt.Errorf("no price is known for %q: calls of it have no cost. Give it one with pricing.overrides, or the name that it is priced as with pricing.models", args[0])
			}
			for i, c := range cards {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := printCard(cmd.OutOrStdout(), c); err != nil {
					return err
				}
			}
			var from []string
			for _, c := range cards {
				from = append(from, c.Src...)
			}
			slices.Sort(from)
			return printSources(cmd.OutOrStdout(), table, slices.Compact(from))
		},
	}
	cmd.Flags().StringVar(&provider, "provider", "", "only of this provider or route")
	return cmd
}

// printSources says what the sources are that a table names in short.
func printSources(out io.Writer, table *pricing.Table, names []string) error {
	if len(names) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nsources\n")
	for _, name := range names {
		fmt.Fprintf(w, "  %s\t%s\n", name, safe(table.Source(name), 400))
	}
	return w.Flush()
}

func printCard(out io.Writer, c pricing.Card) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s/%s\n", c.Provider, c.Model)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %s\t%s\n", name, value)
		}
	}
	line("also", strings.Join(c.Aliases, ", "))
	switch {
	case c.Source == llm.CostOverride:
		line("source", "the configuration's own row")
	case len(c.Src) > 0:
		line("source", fmt.Sprintf("table of %s, from %s", c.AsOf, strings.Join(c.Src, ", ")))
	default:
		line("source", "table of "+c.AsOf)
	}
	line("evidence", c.Evidence)
	line("note", c.Note)
	line("retired", c.Retired)
	for _, p := range c.Prices {
		if p.When != "" {
			fmt.Fprintf(w, "  %s:\n", p.When)
		}
		for _, r := range p.Rates {
			unit := ""
			if r.Per != "" {
				unit = r.Currency.String() + " per " + r.Per
			}
			fmt.Fprintf(w, "    %s\t%s\t%s\n", r.Name, r.Amount, unit)
		}
	}
	return w.Flush()
}
