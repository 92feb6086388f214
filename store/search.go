package store

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"zombiezen.com/go/sqlite"
)

// mostExamined bounds the calls that one page of a search looks into for words that
// stand together, or for other conditions.
const mostExamined = 5000

// A wanted is a text as the index is asked for it.
type wanted struct {
	match   string   // all of its words, for the index
	phrases []string // in lower case: what the index cannot tell
}

// parseText reads what somebody looks for: words, "words that stand together", and
// beginnings* of words. ok is false when there is no word in it.
func parseText(s string) (w wanted, ok bool) {
	var terms []string
	for i, part := range strings.Split(s, `"`) {
		texts := strings.Fields(part)
		if i%2 == 1 {
			texts = []string{part}
		}
		for _, text := range texts {
			words := tokens(text)
			begins := strings.HasSuffix(text, "*") && len(words) > 0
			for j, word := range words {
				term := `"` + word + `"`
				if begins && j == len(words)-1 {
					term += "*"
				}
				terms = append(terms, term)
			}
			if len(words) > 1 {
				w.phrases = append(w.phrases, strings.ToLower(strings.TrimSuffix(text, "*")))
			}
		}
	}
	w.match = strings.Join(terms, " ")
	return w, len(terms) > 0
}

// tokens returns the words of a text as the index has them: runs of letters and
// digits, and each sign by itself in scripts that put no blanks between words.
func tokens(s string) []string {
	var out []string
	from := -1
	for i, r := range s {
		word := unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.M, r)
		if from >= 0 && (!word || unspaced(r)) {
			out = append(out, s[from:i])
			from = -1
		}
		switch {
		case word && unspaced(r):
			out = append(out, string(r))
		case word && from < 0:
			from = i
		}
	}
	if from >= 0 {
		out = append(out, s[from:])
	}
	return out
}

// unspaced says whether r is of a script that puts no blanks between words.
func unspaced(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// search lists calls by their text, those that came in last first.
func (l *listing) search(ctx context.Context) error {
	want, ok := parseText(l.filter.Text)
	if !ok {
		return nil
	}
	before := int64(math.MaxInt64)
	if l.after != nil {
		before = l.after.n
	}
	for len(l.rows) < l.limit && *l.effort > 0 {
		found, err := l.match(ctx, want, before, min(*l.effort, 500))
		if err != nil || len(found) == 0 {
			return err
		}
		*l.effort -= len(found)
		before = found[len(found)-1]
		if err := l.take(ctx, found, want); err != nil {
			return err
		}
	}
	l.more = len(l.rows) >= l.limit || *l.effort <= 0
	if l.more && len(l.rows) < l.limit {
		l.last = cursor{n: before} // it goes on where looking ended
	}
	return nil
}

// match returns the numbers of calls that have all words, the last first.
func (l *listing) match(ctx context.Context, want wanted, before int64, limit int) (found []int64, err error) {
	err = l.r.with(ctx, filepath.Join(callsFolder, l.day+ftsSuffix), func(c *sqlite.Conn) error {
		return query(c, "SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?", func(st *sqlite.Stmt) error {
			found = append(found, st.ColumnInt64(0))
			return nil
		}, want.match, before, limit)
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // not indexed
	}
	return found, err
}

// take adds those of the found calls that fulfil the rest of what is wanted.
func (l *listing) take(ctx context.Context, found []int64, want wanted) error {
	if len(want.phrases) > 0 {
		var err error
		if found, err = l.together(ctx, found, want.phrases); err != nil {
			return err
		}
	}
	return l.r.withCalls(ctx, l.day, func(c *sqlite.Conn) error {
		w, tags, err := conditions(c, l.filter)
		if err != nil || w.none {
			return err
		}
		if tags != nil {
			var t where
			t.in("tag", tags)
			w.add("call.n IN (SELECT n FROM tagged"+t.String()+")", t.params...)
		}
		w.add("call.n = ?")
		st, _, err := c.PrepareTransient("SELECT " + rowColumns + " FROM call" + w.String())
		if err != nil {
			return err
		}
		defer st.Finalize()
		for _, n := range found {
			if len(l.rows) == l.limit {
				break
			}
			err := rows(st, func(st *sqlite.Stmt) error { l.add(st); return nil }, append(w.params[:len(w.params):len(w.params)], n)...)
			if err := errors.Join(err, st.Reset()); err != nil {
				return err
			}
		}
		return nil
	})
}

// together returns the calls in whose new texts the phrases stand.
func (l *listing) together(ctx context.Context, found []int64, phrases []string) (out []int64, err error) {
	err = l.r.withBodies(ctx, l.day, func(c *sqlite.Conn) error {
		b := newBodies(c, l.day, l.r.seal)
		for _, n := range found {
			m, _, err := b.manifest(n)
			if err != nil {
				return err
			}
			text, err := b.fresh(n, &m)
			if err != nil {
				return err
			}
			text = strings.ToLower(text)
			all := true
			for _, p := range phrases {
				all = all && strings.Contains(text, strings.Join(strings.Fields(p), " "))
			}
			if all {
				out = append(out, n)
			}
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return out, err
}
