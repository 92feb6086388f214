package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// invocation returns how to start a program again whose first argument is arg0: go run
// puts what it builds where nobody would look for it.
func invocation(arg0 string) string {
	if strings.Contains(arg0, "go-build") {
		return "go run ./cmd/proxy"
	}
	return filepath.Base(arg0)
}

// noArgs is for commands that take none. What stands there may be a misspelt command.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.HasSubCommands():
		return fmt.Errorf("%s takes no argument such as %q: see %s --help", cmd.Name(), args[0], cmd.CommandPath())
	}
	cmd.SuggestionsMinimumDistance = 2 // letters that may be wrong
	meant := ""
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		meant = ", did you mean " + strings.Join(names, " or ")
	}
	return fmt.Errorf("unknown command %q%s: see %s --help", args[0], meant, cmd.CommandPath())
}

// badFlag says where the flags of a command are listed.
func badFlag(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())
}

// nowhere says what to do where a command finds nothing of what it is about.
func nowhere(what, dir string) error {
	return fmt.Errorf("there is no %s in %s: Spanwire makes it when it starts. Run this where it runs, or name the folder with --dir", what, dir)
}
