package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// ftsSchema is that of the file with the full text of a day: for each call what was
// new with it. It keeps no text, and not where in it a word stands: who asks for
// words in a row looks into the texts that have all of them.
const ftsSchema = `
CREATE TABLE info (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (text, content='', detail=none, columnsize=0, tokenize="unicode61 remove_diacritics 2");
INSERT INTO words (words, rank) VALUES ('automerge', 8);
`

const (
	mostIndexed = 256 << 10 // of the text of a call
	mostWord    = 64        // bytes; what is longer is base64 or the like
	indexBatch  = 512       // calls that are indexed at once
	indexTime   = time.Second
)

// index keeps the full text of the open days up to date. It works at most half of
// the time, a little each, and is behind by seconds.
func (s *Store) index(ctx context.Context) {
	days, err := listDays(s.dir)
	if err != nil {
		s.log.Error("the full text is not kept up to date", "error", err)
		return
	}
	// What was not finished at the last end.
	behind := map[string]bool{}
	for _, day := range days[max(len(days)-2, 0):] {
		behind[day] = true
	}
	// Opening and closing a file takes longer than to index some calls: those of the days
	// that are written to stay open.
	files := map[string]*sqlite.Conn{}
	shut := func(day string) {
		if f := files[day]; f != nil {
			if err := f.Close(); err != nil {
				s.log.Warn("close the full text of a day", "day", day, "error", err)
			}
		}
		delete(files, day)
	}
	defer func() {
		for day := range files {
			shut(day)
		}
	}()
	for {
		written := map[string]bool{}
		s.mu.Lock()
		for _, w := range s.days {
			written[w.name], behind[w.name] = true, true
		}
		s.mu.Unlock()
		for day := range behind {
			fts, err := s.openText(day, files[day])
			if files[day] = fts; err == nil {
				err = s.indexDay(ctx, day, fts)
			}
			if err != nil || !written[day] {
				shut(day)
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				s.log.Error("index a day of the store", "day", day, "error", err)
			}
			delete(behind, day)
		}
		for day := range files {
			if !written[day] {
				shut(day)
			}
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		if rest(ctx, indexTime) != nil {
			return
		}
	}
}

// rest waits, or returns the error of ctx when that ends first.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Index brings the full text up to date and returns then. The store does it by itself.
func (s *Store) Index(ctx context.Context) error {
	days, err := listDays(s.dir)
	if err != nil {
		return err
	}
	for _, day := range days {
		fts, err := s.openText(day, nil)
		if err == nil {
			err = errors.Join(s.indexDay(ctx, day, fts), fts.Close())
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("index %s: %w", day, err)
		}
	}
	return nil
}

// openText opens the full text of a day of which bodies are kept. open is what is open
// of it, or nil: it is used as long as its file is there.
func (s *Store) openText(day string, open *sqlite.Conn) (*sqlite.Conn, error) {
	_, err := os.Stat(s.path(day, bodiesSuffix))
	if err != nil {
		return open, err
	}
	path := s.path(day, ftsSuffix)
	if open != nil {
		if _, err := os.Stat(path); err == nil {
			return open, nil
		}
		if err := open.Close(); err != nil {
			return nil, err
		}
	}
	return openWriter(path, callsPage, ftsSchema)
}

func (s *Store) indexDay(ctx context.Context, day string, fts *sqlite.Conn) error {
	for {
		began := time.Now()
		n, err := s.indexSome(ctx, day, fts)
		if err != nil || n == 0 {
			return err
		}
		if err := rest(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// indexSome indexes the next calls and returns how many there were.
func (s *Store) indexSome(ctx context.Context, day string, fts *sqlite.Conn) (n int, err error) {
	done, _, err := one(fts, "SELECT value FROM info WHERE key = 'indexed'")
	if err != nil {
		return 0, err
	}
	type text struct {
		n    int64
		text string
	}
	var texts []text
	last := done
	err = s.withBodies(ctx, day, func(conn *sqlite.Conn) error {
		most, _, err := one(conn, "SELECT max(n) FROM said")
		if err != nil {
			return err
		}
		s.counts.lag.Store(max(most-done, 0))
		b := newBodies(conn, day, nil)
		return query(conn, "SELECT n, manifest FROM said WHERE n > ? ORDER BY n LIMIT ?", func(st *sqlite.Stmt) error {
			last = st.ColumnInt64(0)
			m, err := readManifest(column(st, 1))
			if err != nil {
				return err
			}
			t, err := b.fresh(last, &m)
			if err == nil && t != "" {
				texts = append(texts, text{last, searchable(t)})
			}
			return err
		}, done, indexBatch)
	})
	if err != nil || last == done {
		return 0, err
	}
	err = atomically(fts, func() error {
		for _, t := range texts {
			if err := exec(fts, "INSERT INTO words (rowid, text) VALUES (?, ?)", t.n, t.text); err != nil {
				return err
			}
		}
		return exec(fts, "INSERT OR REPLACE INTO info VALUES ('indexed', ?)", last)
	})
	if err == nil {
		s.counts.indexed.Add(last - done)
	}
	return int(last - done), err
}

// fresh returns the text that was new with a call of that number.
func (b *bodies) fresh(n int64, m *manifest) (string, error) {
	var c llm.Call
	for s, ids := range m {
		for i, id := range ids {
			if id>>ordinalBits != n || section(s) >= secSchema {
				continue
			}
			p, err := b.piece(id)
			if err == nil {
				err = put(&c, section(s), i, p)
			}
			if err != nil {
				return "", err
			}
		}
	}
	delete(b.rows, n)
	return textOf(&c), nil
}

// textOf returns everything that was said in a call, as plain text.
func textOf(c *llm.Call) string {
	var b strings.Builder
	words(&b, c.System)
	for i := range c.Input {
		words(&b, c.Input[i].Parts)
	}
	for i := range c.Output {
		words(&b, c.Output[i].Parts)
	}
	for i := range c.Tools {
		t := &c.Tools[i]
		for _, s := range [...]string{t.Name, t.Description} {
			if b.Len() < mostIndexed {
				b.WriteString(s[:min(len(s), mostIndexed)])
				b.WriteByte('\n')
			}
		}
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(b.String(), " ")), " ")
}

// searchable returns a text for the index: without what nobody searches, words that
// are no words, and with blanks between the signs of scripts that have none.
func searchable(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r == ',' }) {
		if ascii(word) {
			if len(word) <= mostWord || strings.ContainsAny(word, "/.-_:;()[]{}=<>") {
				b.WriteString(word)
				b.WriteByte(' ')
			}
			continue
		}
		for _, r := range word {
			if unspaced(r) {
				b.WriteByte(' ')
				b.WriteRune(r)
				b.WriteByte(' ')
				continue
			}
			b.WriteRune(r)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
