package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
)

// KeepFile takes a file into a backup: name is its place in it, and write makes it at
// a path. mark tells one state of its source from another: who has the file with the
// same mark from before need not have it written. With "" it is always written.
type KeepFile func(name, mark string, write func(path string) error) error

// Backup hands each file of the store to keep, also while another program writes to
// it. Each is copied as it is at one moment; what was said is copied after the calls,
// so that no call is without it. What was kept is a store.
func (r *Reader) Backup(ctx context.Context, keep KeepFile) error {
	days, err := listDays(r.dir)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	var copied []string
	for _, day := range days {
		for _, suffix := range []string{callsSuffix, bodiesSuffix, ftsSuffix} {
			name := filepath.Join(callsFolder, day+suffix)
			err := r.backUp(ctx, name, r.mark(name), keep)
			if errors.Is(err, os.ErrNotExist) {
				continue // it has none, or it grew old meanwhile
			}
			if err != nil {
				return err
			}
			if suffix == callsSuffix {
				copied = append(copied, day)
			}
		}
	}
	return r.backUpTotals(ctx, copied, keep)
}

func (r *Reader) backUp(ctx context.Context, name, mark string, keep KeepFile) error {
	err := r.with(ctx, name, func(c *sqlite.Conn) error {
		return keep(name, mark, func(path string) error { return copyFile(ctx, c, path) })
	})
	if err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	return nil
}

// backUpTotals copies meta.db, with the totals of those days alone whose calls are not
// in the backup: others could be of a moment before or after, and are made anew.
func (r *Reader) backUpTotals(ctx context.Context, copied []string, keep KeepFile) error {
	return r.backUp(ctx, "meta.db", "", func(name, mark string, write func(string) error) error {
		return keep(name, mark, func(path string) (err error) {
			if err := write(path); err != nil {
				return err
			}
			c, err := openWriter(path, callsPage, metaSchema)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			for _, day := range copied {
				at, _ := parseDay(day)
				if err := exec(c, "DELETE FROM sealed WHERE at = ?", at.Unix()); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// settled is how long a file must not have changed before its mark is believed: two
// changes within a tick of the file system's clock look like one.
const settled = 2 * time.Second

// mark returns what tells the state of a file from others: the sizes and times of the
// file and of its log. It is "" when it changed just now.
func (r *Reader) mark(name string) string {
	mark := ""
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(filepath.Join(r.dir, name) + suffix)
		if suffix != "" && (errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0) {
			continue // everything is in the file
		}
		if err != nil || time.Since(info.ModTime()) < settled {
			return ""
		}
		mark += fmt.Sprintf("%d %d;", info.Size(), info.ModTime().UnixNano())
	}
	return mark
}

// copyPages is how much is copied before somebody may interrupt.
const copyPages = 4096

func copyFile(ctx context.Context, from *sqlite.Conn, path string) (err error) {
	if err := private(path); err != nil {
		return err
	}
	to, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	// In one transaction, so that the copy does not begin anew with each write.
	if err := run(from, "BEGIN"); err != nil {
		return err
	}
	defer rollback(from)
	if _, _, err := one(from, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	b, err := sqlite.NewBackup(to, "main", from, "main")
	if err != nil {
		return err
	}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			more, err = b.Step(copyPages)
		}
	}
	return errors.Join(err, b.Close())
}
