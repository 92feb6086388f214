package providerstest_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
)

// The page for people and the reasons that tests accept are the same.
func TestReasonsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/dialects.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| [^|]+ \| [^|]+ \| [^|]+ \|$`).FindAllStringSubmatch(string(b), -1) {
		rows = append(rows, m[1])
	}
	reasons := []string{providerstest.ReasonOfSessions}
	for _, r := range providerstest.Reasons {
		reasons = append(reasons, r.Name)
	}
	slices.Sort(rows)
	slices.Sort(reasons)
	if !slices.Equal(rows, reasons) {
		t.Errorf("docs/dialects.md has\n%q\nand the tests accept\n%q", rows, reasons)
	}
}
