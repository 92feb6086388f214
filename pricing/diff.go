package pricing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Change is one difference between two tables.
type Change struct {
	Provider string
	Model    string // "" for what holds for all models of the provider
	Field    string // "" when the whole provider or row is new or gone
	From, To string // "" where there is nothing; a number as decimal text, else JSON
}

// Diff lists what is different in a second table, by provider, model and field.
// Both are checked first. How a row is written makes no difference, and neither
// does the order of rows.
func Diff(from, to []byte) ([]Change, error) {
	a, err := flatTable(from)
	if err != nil {
		return nil, fmt.Errorf("the old table: %w", err)
	}
	b, err := flatTable(to)
	if err != nil {
		return nil, fmt.Errorf("the new table: %w", err)
	}
	var changes []Change
	for _, at := range slices.SortedFunc(maps.Keys(union(a, b)), func(x, y place) int {
		return slices.Compare([]string{x.provider, x.model}, []string{y.provider, y.model})
	}) {
		changes = append(changes, diffRow(at, a[at], b[at])...)
	}
	return changes, nil
}

// place is a row, or with model "" what holds for the provider.
type place struct{ provider, model string }

// fields are the scalars of a row by their path.
type fields map[string]string

func union[K comparable, V any](a, b map[K]V) map[K]bool {
	keys := map[K]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

func diffRow(at place, a, b fields) (changes []Change) {
	switch {
	case a == nil:
		return []Change{{at.provider, at.model, "", "", b.brief()}}
	case b == nil:
		return []Change{{at.provider, at.model, "", a.brief(), ""}}
	}
	for _, f := range slices.Sorted(maps.Keys(union(a, b))) {
		if a[f] != b[f] {
			changes = append(changes, Change{at.provider, at.model, f, a[f], b[f]})
		}
	}
	return changes
}

// inCurrency says what a row's prices are in, unless it is US dollars: it may be told
// for the whole table, for a provider or for the row.
func (f fields) inCurrency(codes ...string) {
	delete(f, "currency")
	for _, code := range codes {
		if code == "" {
			continue
		}
		if code != llm.USD.String() {
			f["currency"] = scalar(quote(code))
		}
		return
	}
}

// brief writes a row's prices on one line.
func (f fields) brief() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(f)) {
		if name, ok := strings.CutPrefix(k, "price."); ok {
			parts = append(parts, name+" "+f[k])
		}
	}
	if len(parts) == 0 {
		return "no price in tokens"
	}
	text := strings.Join(parts, ", ")
	if c := f["currency"]; c != "" {
		text += " in " + strings.Trim(c, `"`)
	}
	return text
}

func flatTable(data []byte) (map[place]fields, error) {
	if _, err := New(data); err != nil {
		return nil, err
	}
	var doc tableFile
	if err := decodeStrict(data, &doc); err != nil {
		return nil, err
	}
	rows := map[place]fields{}
	for _, raw := range doc.Providers {
		var p providerFile
		if err := decodeStrict(raw, &p); err != nil {
			return nil, err
		}
		top := fields{}
		if err := top.add("", raw, "models", "provenance", "id"); err != nil {
			return nil, err
		}
		top.inCurrency(p.Currency, doc.Currency)
		rows[place{provider: p.ID}] = top
		for _, raw := range p.Models {
			var m modelFile
			if err := decodeStrict(raw, &m); err != nil {
				return nil, err
			}
			f := fields{}
			if err := f.add("", raw, "id"); err != nil {
				return nil, err
			}
			f.inCurrency(m.Currency, p.Currency, doc.Currency)
			rows[place{p.ID, strings.ToLower(m.ID)}] = f
		}
	}
	return rows, nil
}

// add puts in the scalars of a value under a path; the named members are left out.
func (f fields) add(path string, raw json.RawMessage, without ...string) error {
	raw = bytes.TrimSpace(raw)
	switch {
	case raw[0] == '{':
		ms, err := members(raw)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if slices.Contains(without, m.key) {
				continue
			}
			if err := f.add(join(path, m.key), m.value); err != nil {
				return err
			}
		}
		return nil
	case raw[0] == '[' && bytes.HasPrefix(bytes.TrimSpace(raw[1:]), []byte("{")):
		es, err := elements(raw)
		if err != nil {
			return err
		}
		for i, e := range es {
			if err := f.add(path+element(path, e, i, len(es)), e); err != nil {
				return err
			}
		}
		return nil
	}
	f[path] = scalar(raw)
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// element names an element of a list by what orders the list. A list of one price
// is that price.
func element(path string, raw json.RawMessage, i, n int) string {
	var by struct {
		From string      `json:"from"`
		Min  json.Number `json:"min"`
	}
	_ = json.Unmarshal(raw, &by) // without these it is named by its place
	switch {
	case by.From != "":
		return "[" + by.From + "]"
	case by.Min != "":
		return "[" + by.Min.String() + "]"
	case path == "price" && i == 0 || n == 1:
		return ""
	}
	return fmt.Sprintf("[%d]", i+1)
}

// scalar writes a number the same however it was written; everything else stays.
func scalar(raw json.RawMessage) string {
	if d, err := parseDecimal(string(raw)); err == nil {
		return d.String()
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
