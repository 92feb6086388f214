package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

// Backup copies a store into a folder that does not exist or is empty, also while
// another program writes to it, and returns how many files it wrote. Each file is
// copied as it is at one moment; what was said is copied after the calls, so that no
// call is without it. The copy is a store: to restore it, put it in the place of
// data_dir.
func (r *Reader) Backup(ctx context.Context, to string) (files int, err error) {
	if err := os.MkdirAll(filepath.Join(to, callsFolder), 0o700); err != nil {
		return 0, fmt.Errorf("back up: %w", err)
	}
	if found, err := os.ReadDir(to); err != nil || len(found) != 1 {
		return 0, fmt.Errorf("back up: %s is not empty", to)
	}
	days, err := listDays(r.dir)
	if err != nil {
		return 0, fmt.Errorf("back up: %w", err)
	}
	names := []string{"meta.db"}
	for _, day := range days {
		for _, suffix := range []string{callsSuffix, bodiesSuffix, ftsSuffix} {
			names = append(names, filepath.Join(callsFolder, day+suffix))
		}
	}
	for _, name := range names {
		err := r.with(ctx, name, func(c *sqlite.Conn) error { return copyFile(ctx, c, filepath.Join(to, name)) })
		if errors.Is(err, os.ErrNotExist) {
			continue // it has none, or it grew old meanwhile
		}
		if err != nil {
			return files, fmt.Errorf("back up %s: %w", name, err)
		}
		files++
	}
	return files, nil
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
