package providers

import (
	"fmt"
	"strings"
)

// misnamed says why a bare path cannot be meant for the default provider, or returns
// nil. Where every path of a vendor begins alike, one that names that beginning later
// has something before it that is taken for a provider by its caller, or for a part of
// the base URL. Sent on, it would get an error of that vendor at best, and hand it the
// key of another.
func (t *Table) misnamed(path string) error {
	under := t.fallback.under
	if under == "" {
		return nil
	}
	at := strings.Index(path, under)
	switch {
	case at < 0:
		return nil
	case at > 0:
		name, _, _ := strings.Cut(path[1:], "/")
		return fmt.Errorf("%w: %s; a path begins with the name of a provider, or with %s for %s", ErrNoRoute, t.nobody(name), under, t.fallback.Name)
	}
	next, _, deeper := strings.Cut(path[len(under):], "/")
	if deeper && (next == "v1" || next == "v1beta") {
		return fmt.Errorf("%w: it has a version twice; leave /v1 off the base URL of a client that adds one itself", ErrNoRoute)
	}
	return nil
}

// shownName is how long a name may be to be repeated: keys are longer.
const shownName = 24

// nobody says that a name is no provider's, and whose it may be.
func (t *Table) nobody(name string) string {
	name = strings.ToLower(name)
	if len(name) > shownName || !validName(name) {
		return "its first part is no provider's name"
	}
	best, least := "", (len(name)+1)/2
	for _, row := range t.Rows() {
		if d := distance(name, row.Name); d < least {
			best, least = row.Name, d
		}
	}
	if best == "" {
		return fmt.Sprintf("there is no provider %q", name)
	}
	return fmt.Sprintf("there is no provider %q, did you mean %q?", name, best)
}

// distance counts the letters to insert, remove or replace that lead from a to b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := before
			if a[i] != b[j] {
				replace++
			}
			before = row[j+1]
			row[j+1] = min(replace, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
