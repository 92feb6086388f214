package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/store"
)

// manifestName is the file that makes a folder a whole backup: it is written last.
const manifestName = "backup.json"

// manifest says what a backup consists of.
type manifest struct {
	Version int         `json:"version"` // 1
	Made    time.Time   `json:"made"`
	Files   []savedFile `json:"files"`
}

// savedFile is a file of a backup. Mark tells the state of its source that it is of.
type savedFile struct {
	Name   string `json:"name"`
	Mark   string `json:"mark,omitempty"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// journalFolder is where the journal is in a backup, wherever it is kept.
const journalFolder = "journal"

// backup is one that is being made.
type backup struct {
	dir     string
	before  string // folder of the one before; "" when there is none
	known   map[string]savedFile
	made    manifest
	written int64 // bytes that are not from the one before
	shared  int   // files that are
}

// newBackup begins a backup in a folder that is new or empty.
func newBackup(dir, before string) (*backup, error) {
	b := &backup{dir: dir, before: before, known: map[string]savedFile{}, made: manifest{Version: 1, Made: time.Now().UTC()}}
	if before != "" {
		m, err := readManifest(before)
		if err != nil {
			return nil, err
		}
		for _, f := range m.Files {
			b.known[f.Name] = f
		}
	}
	return b, emptyFolder(dir)
}

// emptyFolder makes a folder, or finds that it is empty.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty", dir))
	}
	return nil
}

// keep takes a file into the backup: by a link to the one before when that has it as
// it is, so that it takes no room twice.
func (b *backup) keep(name, mark string, write func(path string) error) error {
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if old, ok := b.known[name]; ok && mark != "" && old.Mark == mark {
		info, err := os.Stat(filepath.Join(b.before, name))
		if err == nil && info.Size() == old.Size && os.Link(filepath.Join(b.before, name), path) == nil {
			b.made.Files = append(b.made.Files, old)
			b.shared++
			return nil
		}
	}
	if err := write(path); err != nil {
		return err
	}
	f := savedFile{Name: name, Mark: mark}
	var err error
	if f.Size, f.SHA256, err = digest(path); err != nil {
		return err
	}
	b.made.Files = append(b.made.Files, f)
	b.written += f.Size
	return nil
}

// within returns keep for files whose place is in a folder of the backup.
func (b *backup) within(folder string) func(name, mark string, write func(path string) error) error {
	return func(name, mark string, write func(path string) error) error {
		return b.keep(filepath.Join(folder, name), mark, write)
	}
}

// finish makes the backup a whole one.
func (b *backup) finish() error {
	text, err := json.MarshalIndent(b.made, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(b.dir, manifestName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	if _, _, err := digest(path + ".new"); err != nil { // makes it durable
		return err
	}
	return os.Rename(path+".new", path)
}

// digest makes a file durable and returns its size and SHA-256.
func digest(path string) (int64, string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Sync())
}

func readManifest(dir string) (m manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s is no whole backup: there is no %s in it", dir, manifestName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read %s of %s: %w", manifestName, dir, err)
	}
	if m.Version != 1 {
		return m, fmt.Errorf("the backup in %s has version %d, and this program knows 1", dir, m.Version)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(f.Name) {
			return m, fmt.Errorf("%s of %s names %q, which is not within it", manifestName, dir, f.Name)
		}
	}
	return m, nil
}

// isBackup says whether a folder is a backup, which nobody may write to: its files may
// be those of others as well.
func isBackup(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		return fmt.Errorf("data_dir: %s is a backup; copy it with `restore`", dir)
	}
	return nil
}

// backUp copies everything that is kept. The journal comes before the store, and its
// cursors before it: what the store does not have yet is then in the journal.
func backUp(ctx context.Context, cfg *Config, b *backup) error {
	if err := journal.Backup(ctx, cfg.journalDir(), b.within(journalFolder)); err != nil {
		return err
	}
	r, err := readStore(cfg, "")
	if err == nil {
		err = errors.Join(r.Backup(ctx, b.keep), r.Close())
	}
	if errors.Is(err, store.ErrNone) && len(b.made.Files) > 0 {
		err = nil // there is a journal and no store
	}
	if err != nil {
		return err
	}
	runs := cfg.runsFile()
	if _, err := os.Stat(runs); err == nil {
		if err := b.keep(filepath.Base(runs), "", func(path string) error { return copyOut(path, runs, nil) }); err != nil {
			return fmt.Errorf("back up %s: %w", filepath.Base(runs), err)
		}
	}
	return b.finish()
}

// copyOut makes a new file with what another one has, and tells h of it.
func copyOut(path, from string, h io.Writer) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var read io.Reader = in
	if h != nil {
		read = io.TeeReader(in, h)
	}
	_, err = io.Copy(out, read)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// backupCommand is `proxy backup`: a copy of everything that is kept.
func backupCommand(load func() (loaded, error)) *cobra.Command {
	var dir, after string
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the store and the journal into a new folder",
		Long: `backup copies the store and the journal, as they are at this moment, into a folder
that is new or empty. A running Spanwire need not be stopped. With --after, files that
are in an earlier backup as they are now become links to it: each backup is whole, and
takes the room of what is new. Put it back with restore.`,
		Args: oneArgument("the folder to copy to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if dir != "" {
				cfg.DataDir, cfg.Journal.Dir = dir, ""
			}
			if err := isBackup(cfg.DataDir); err != nil {
				return err
			}
			b, err := newBackup(args[0], after)
			if err != nil {
				return fmt.Errorf("back up: %w", err)
			}
			if err := backUp(cmd.Context(), &cfg.Config, b); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files copied to %s, %d bytes; %d more are those of the backup before\n",
				len(b.made.Files)-b.shared, args[0], b.written, b.shared)
			return err
		},
	}
	dirFlag(cmd, &dir)
	cmd.Flags().StringVar(&after, "after", "", "folder of the backup before this one")
	return cmd
}

// restoreCommand is `proxy restore`: a backup becomes what is kept.
func restoreCommand(load func() (loaded, error)) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Copy a backup to where calls are kept",
		Long: `restore copies a backup into data_dir, which must be new or empty, as journal.dir must
be when it is another folder. Every file is compared with what backup wrote. Spanwire
then starts as it would have at the moment of the backup: what an exporter had got by
then may come to it once more, under the same span ids.`,
		Args: oneArgument("the folder of the backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if dir != "" {
				cfg.DataDir, cfg.Journal.Dir = dir, ""
			}
			n, err := restore(cmd.Context(), &cfg.Config, args[0])
			if err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files restored to %s\n", n, cfg.DataDir)
			return err
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

// restore copies a backup to where calls are kept, and takes everything back when it
// fails.
func restore(ctx context.Context, cfg *Config, from string) (n int, err error) {
	m, err := readManifest(from)
	if err != nil {
		return 0, err
	}
	to := func(name string) string {
		if in, err := filepath.Rel(journalFolder, name); err == nil && filepath.IsLocal(in) {
			return filepath.Join(cfg.journalDir(), in)
		}
		return filepath.Join(cfg.DataDir, name)
	}
	if err := emptyFolder(cfg.DataDir); err != nil {
		return 0, err
	}
	if cfg.Journal.Dir != "" {
		if err := emptyFolder(cfg.Journal.Dir); err != nil {
			return 0, err
		}
	}
	var done []string
	defer func() {
		if err != nil {
			for _, path := range done {
				_ = os.Remove(path) // the error says that it is not restored
			}
		}
	}()
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		path, h := to(f.Name), sha256.New()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return 0, err
		}
		done = append(done, path)
		if err := copyOut(path, filepath.Join(from, f.Name), h); err != nil {
			return 0, err
		}
		if hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
			return 0, fmt.Errorf("%s is not as it was written: the backup is damaged", filepath.Join(from, f.Name))
		}
	}
	return len(m.Files), nil
}
