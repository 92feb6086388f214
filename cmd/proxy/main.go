// Command proxy is Spanwire: it relays calls to LLM providers and traces them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/recorder"
)

// version is set when a release is linked.
var version = "dev"

func main() {
	// Most of the heap is vocabularies and tables, which cost the collector nothing
	// to mark: collecting more often is cheap here, and halves what waits for it.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	// Room for a second signal of each kind, which ends the program at once.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	ignoreFileLimit()
	err := run(context.Background(), os.Args[1:], settings{stdout: os.Stdout, stderr: os.Stderr, signals: signals})
	if err != nil {
		os.Exit(1)
	}
}

// settings is what code sets of a run: main the process's own, tests theirs.
type settings struct {
	stdout, stderr io.Writer
	signals        <-chan os.Signal // nil: only the context ends a run

	poll     time.Duration   // between two looks at the files of the configuration; 0 means a second
	started  func(addresses) // once the program listens
	reloaded func(error)     // after each attempt to take up a changed configuration
	sink     recorder.Sink   // gets every call beside the exporters
	quiet    bool            // no greeting

	env func(string) (string, bool) // where OTEL_ variables are looked up; nil means the process's own
}

// addresses are where a run listens, with the ports that were really taken.
type addresses struct {
	proxy string
	admin string // "" when there is none
}

// run is the program: it reads the command line and does what it says. An error
// was told to the user when run returns it.
func run(ctx context.Context, args []string, s settings) error {
	cmd := command(s)
	cmd.SetArgs(args)
	cmd.SetOut(s.stdout)
	cmd.SetErr(s.stderr)
	err := cmd.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(s.stderr, "spanwire: %v\n", err)
	}
	return err
}

// command returns the command line.
func command(s settings) *cobra.Command {
	var file string
	var check, demo, once bool
	root := &cobra.Command{
		Use:   "spanwire",
		Short: "LLM reverse proxy with automatic tracing",
		Long: `Spanwire relays calls to LLM providers byte for byte and makes an OpenTelemetry
span of each: model, tokens, cost, latency, content.

Start it, then point a client at it: export OPENAI_BASE_URL=http://localhost:8080/v1`,
		Args:          noArgs,
		Version:       longVersion(),
		SilenceErrors: true, // run tells them
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("spanwire {{.Version}}\n")
	root.SetFlagErrorFunc(badFlag)
	flags := root.PersistentFlags()
	flags.StringVar(&file, "config", os.Getenv("SPANWIRE_CONFIG"), "configuration file (default: config.yaml in the working directory, if there is one)")
	flags.String("listen", "", "address for callers (default 127.0.0.1:8080)")
	flags.String("admin", "", `address for health and metrics, "off" for none (default 127.0.0.1:8081)`)
	flags.String("log-level", "", "debug, info, warn or error (default info)")
	root.Flags().BoolVar(&check, "check", false, "validate the configuration and exit")
	root.Flags().BoolVar(&demo, "demo", false, "show what Spanwire does: no key, no network")
	root.Flags().BoolVar(&once, "demo-once", false, "with --demo: exit when the agent is done")

	load := func() (loaded, error) { return source{file: file, flags: flags}.load() }
	only := func(keys ...string) func() (loaded, error) {
		return func() (loaded, error) { return source{file: file, flags: flags, only: keys}.load() }
	}
	kept := only("data_dir", "journal", "audit", "encryption") // where calls are kept, and what opens them
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		switch {
		case check:
			return checkConfig(cfg, s)
		case demo || once:
			return runDemo(cmd.Context(), cfg, s, once)
		}
		return serve(cmd.Context(), cfg, load, s)
	}
	root.AddCommand(&cobra.Command{
		Use:   "doctor",
		Short: "Prove that the relay changes nothing it should not",
		Long: `doctor sends odd and hostile requests through a relay on loopback and prints the
SHA-256 of what was sent and of what arrived, on both sides. It exits with 1 when
something was changed, let through or hidden. A running Spanwire need not be stopped:
none of it is kept or exported.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return runDoctor(cmd.Context(), cfg, s)
		},
	}, &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the Spanwire that runs here whether it is ready",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := only("admin")()
			if err != nil {
				return err
			}
			return healthcheck(cmd.Context(), cfg.Admin)
		},
	}, auditCommand(kept), pricesCommand(load), callsCommand(kept), callCommand(kept), storeCommand(kept), backupCommand(kept), restoreCommand(kept), repriceCommand(load), runsCommand(only("admin"), s))
	return root
}

// oneArgument asks for one, and says what it is when it is not given.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		path, _, _ := strings.Cut(cmd.UseLine(), " [flags]")
		return fmt.Errorf("%s: want one argument, %s; there are %d", path, what, len(args))
	}
}

// longVersion adds the commit that Go knows of to a version that was not set.
func longVersion() string {
	info, ok := debug.ReadBuildInfo()
	if version != "dev" || !ok {
		return version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return version + " " + s.Value[:12]
		}
	}
	return version
}

// errSignal says that a second signal asked to end at once.
var errSignal = errors.New("ended by a second signal, before all streams were over")
