package clients

import (
	"cmp"
	"fmt"
	"strings"
)

// A matrix is client × feature of one suite.
type matrix struct {
	suite   suite
	results map[int][]result // by client
}

func (m *matrix) add(client int, r []result) {
	if m.results == nil {
		m.results = map[int][]result{}
	}
	m.results[client] = r
}

func (m *matrix) count() (passed, failed int) {
	for _, all := range m.results {
		for _, r := range all {
			if r.failed {
				failed++
			} else {
				passed++
			}
		}
	}
	return passed, failed
}

// String is empty when nothing of the suite ran.
func (m *matrix) String() string {
	if len(m.results) == 0 {
		return ""
	}
	var b strings.Builder
	row := func(first string, cell func(client int) string) {
		fmt.Fprintf(&b, "%-18s", first)
		for i := range m.suite.clients {
			fmt.Fprintf(&b, "  %-24s", cell(i))
		}
		b.WriteString("\n")
	}
	row(m.suite.name, func(i int) string { return m.suite.clients[i].name })
	row("", func(i int) string {
		sdk := ""
		for _, r := range m.results[i] {
			sdk = cmp.Or(sdk, r.sdk)
		}
		return sdk
	})
	for _, f := range m.suite.features {
		row("  "+f.name, func(i int) string { return verdict(m.results[i], f.name) })
	}
	return b.String()
}

func verdict(all []result, feature string) string {
	for _, r := range all {
		switch {
		case r.feature != feature:
		case r.failed:
			return "FAILED"
		default:
			return "passed"
		}
	}
	return "-"
}
