package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// KeepFile takes a file into a backup: name is its place in it, and write makes it at
// a path. mark tells one state of its source from another: who has the file with the
// same mark from before need not have it written. With "" it is always written.
type KeepFile func(name, mark string, write func(path string) error) error

// Backup hands each file of the journal in a folder to keep, also while another program
// writes to it; a folder without a journal has none. What was kept is a journal whose
// chain holds: it ends with a record that was there when Backup was called, or later.
// Cursors are taken first: who then copies what a follower made of the calls has
// everything, some of it twice.
func Backup(ctx context.Context, dir string, keep KeepFile) error {
	if err := backUpCursors(dir, keep); err != nil {
		return fmt.Errorf("back up the journal: %w", err)
	}
	segments, err := listSegments(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("back up the journal: %w", err)
	}
	// The newest first: when one is gone meanwhile so are all before it, and the chain
	// begins later.
	for i := len(segments) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := backUpSegment(segments[i], i == len(segments)-1, keep)
		if errors.Is(err, fs.ErrNotExist) && i < len(segments)-1 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("back up the journal: %s: %w", filepath.Base(segments[i].path), err)
		}
	}
	return nil
}

func backUpCursors(dir string, keep KeepFile) error {
	entries, err := os.ReadDir(filepath.Join(dir, cursorFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if err != nil || !followerName.MatchString(e.Name()) {
			continue
		}
		name := filepath.Join(cursorFolder, e.Name())
		err = keep(name, "", func(path string) error { return copyTo(path, filepath.Join(dir, name)) })
	}
	return err
}

func backUpSegment(s *segment, last bool, keep KeepFile) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	mark := ""
	if !last { // it is not written to any more, only replaced by one without contents
		mark = fmt.Sprintf("%d %d", info.Size(), info.ModTime().Round(time.Nanosecond).UnixNano())
	}
	return keep(filepath.Base(s.path), mark, func(path string) error {
		if err := copyTo(path, s.path); err != nil || !last {
			return err
		}
		return cutTail(path)
	})
}

// cutTail cuts off what was being written to a segment when it was copied.
func cutTail(path string) error {
	s := &segment{path: path}
	if err := s.read(); err != nil {
		if errors.Is(err, errBadHeader) {
			return nil // damaged, or just being begun: as it is
		}
		return err
	}
	end, err := examine(s)
	if err != nil || end.damaged {
		return err
	}
	return os.Truncate(path, end.at)
}

// copyTo makes a new file with what another one has now.
func copyTo(path, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
