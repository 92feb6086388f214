package store

import (
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// columnsOf names the column of a dimension in the tables call and usage, and the
// kind of its values in the dictionary.
var columnsOf = map[llm.Dimension]struct{ column, kind string }{
	llm.DimTeam:        {"team", dictTeam},
	llm.DimModel:       {"model", dictModel},
	llm.DimProvider:    {"provider", dictProvider},
	llm.DimOperation:   {"operation", dictOperation},
	llm.DimUser:        {"user", dictUser},
	llm.DimKey:         {"key", dictKey},
	llm.DimAgent:       {"agent", dictAgent},
	llm.DimError:       {"error", dictError},
	llm.DimUsageSource: {"usage_source", dictUsageSource},
	llm.DimCostSource:  {"cost_source", dictCostSource},
	llm.DimCostStatus:  {"cost_status", dictCostStatus},
	llm.DimTag:         {"", dictTag},
	llm.DimOutcome:     {"failed", ""},
}

const (
	outcomeOK    = "ok"
	outcomeError = "error"
)

// where is conditions and their parameters.
type where struct {
	conds  []string
	params []any
	none   bool // nothing can fulfil them
}

func (w *where) add(cond string, params ...any) {
	w.conds = append(w.conds, cond)
	w.params = append(w.params, params...)
}

// in wants a column to be one of some numbers.
func (w *where) in(column string, ids []int64) {
	if len(ids) == 0 {
		w.none = true
		return
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(ids)), ",")
	params := make([]any, len(ids))
	for i, id := range ids {
		params[i] = id
	}
	w.add(column+" IN ("+marks+")", params...)
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// ids returns the rows that values of a dimension have in the dictionary of a file,
// and whether all of them have totals of their own.
func ids(c *sqlite.Conn, d llm.Dimension, values []string) (out []int64, shown bool, err error) {
	shown = true
	if d == llm.DimOutcome {
		for _, v := range values {
			switch v {
			case outcomeOK:
				out = append(out, 0)
			case outcomeError:
				out = append(out, 1)
			}
		}
		return out, true, nil
	}
	for _, v := range values {
		switch v {
		case "":
			out = append(out, noValue)
			continue
		case llm.OtherValue:
			out = append(out, other)
			continue
		}
		err := query(c, "SELECT id, shown FROM dict WHERE kind = ? AND value = ?", func(st *sqlite.Stmt) error {
			out = append(out, st.ColumnInt64(0))
			shown = shown && st.ColumnBool(1)
			return nil
		}, columnsOf[d].kind, clip(v))
		if err != nil {
			return nil, false, err
		}
	}
	return out, shown, nil
}

// conditions makes the conditions of a filter for the table call of a file, but for
// text, and for tags: those come as the rows of the table tagged.
func conditions(c *sqlite.Conn, f *llm.Filter) (w where, tags []int64, err error) {
	bounds(&w, "call.start", f.From, f.To)
	for d, values := range f.Is {
		if len(values) == 0 {
			continue
		}
		found, _, err := ids(c, d, values)
		if err != nil {
			return w, nil, err
		}
		if d == llm.DimTag {
			if tags = found; len(tags) == 0 {
				w.none = true
			}
			continue
		}
		w.in("call."+columnsOf[d].column, found)
		// So that the partial indexes are seen to fit.
		switch {
		case d == llm.DimOutcome && len(values) == 1 && values[0] == outcomeError:
			w.add("call.failed")
		case (d == llm.DimTeam || d == llm.DimModel || d == llm.DimUser) && len(found) > 0 && found[0] != noValue && len(found) == 1:
			w.add("call." + columnsOf[d].column + " > 0")
		}
	}
	if f.Session != "" {
		w.add("call.session IN (?, ?)", clip(f.Session), idOf(f.Session))
	}
	if f.Run != "" {
		w.add("call.run = ?", idOf(f.Run))
	}
	if f.Trace != [16]byte{} {
		w.add("call.trace = ?", f.Trace[:])
	}
	if f.Status != 0 {
		w.add("call.status = ?", f.Status)
	}
	if f.MinCost > 0 {
		w.add("call.currency = 0 AND call.cost >= ?", int64(f.MinCost))
	}
	if f.MinDuration > 0 {
		w.add("call.dur >= ?", int64(f.MinDuration))
	}
	return w, tags, nil
}

func bounds(w *where, column string, from, to time.Time) {
	if !from.IsZero() {
		w.add(column+" >= ?", nanos(from))
	}
	if !to.IsZero() {
		w.add(column+" < ?", nanos(to))
	}
}
