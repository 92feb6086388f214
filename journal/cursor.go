package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

const (
	cursorFolder = "cursors"
	cursorMagic  = "SPANWCUR"
	cursorSlot   = 32
	// slotGap keeps the two slots in different blocks of the disk.
	slotGap = 4096
)

// followerName is what can name a follower, and so a file.
var followerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// cursor is how far a follower is: the number of the record that it gets next. It
// stands in a file with two slots that are written in turn, so that a write which
// breaks off leaves the one before. Used by one goroutine.
//
//	slot: "SPANWCUR", u64 how often it was written, u64 record, u32 zero, u32 CRC-32C
type cursor struct {
	file  *os.File
	next  uint64
	times uint64
	dirty bool // written and not yet durable
}

// openCursor opens the cursor of a follower. A new one, or one of which both slots
// are broken, stands at the first record: better twice than never. lost says that
// the latter was so.
func openCursor(dir, name string) (c *cursor, lost bool, err error) {
	path := filepath.Join(dir, cursorFolder, name)
	_, statErr := os.Stat(path)
	isNew := errors.Is(statErr, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("open cursor: %w", err)
	}
	c = &cursor{file: f, next: 1}
	var buf [slotGap + cursorSlot]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, false, fmt.Errorf("read cursor: %w", err)
	}
	found := false
	for _, at := range []int{0, slotGap} {
		if at+cursorSlot > n {
			break
		}
		if times, next, ok := parseCursor(buf[at : at+cursorSlot]); ok && (!found || times > c.times) {
			c.times, c.next, found = times, next, true
		}
	}
	if isNew {
		if err := syncDir(filepath.Dir(path)); err != nil {
			f.Close()
			return nil, false, fmt.Errorf("make cursor durable: %w", err)
		}
	}
	return c, !found && n > 0, nil
}

func parseCursor(b []byte) (times, next uint64, ok bool) {
	if len(b) < cursorSlot || string(b[:8]) != cursorMagic || binary.LittleEndian.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return 0, 0, false
	}
	times, next = binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	return times, next, next > 0
}

// save writes the cursor down. That survives the process; sync makes it survive
// the machine. When it fails the cursor is where it was, and the next attempt writes
// to the same slot: the other one is whole.
func (c *cursor) save(next uint64) error {
	times := c.times + 1
	var b [cursorSlot]byte
	copy(b[:], cursorMagic)
	binary.LittleEndian.PutUint64(b[8:], times)
	binary.LittleEndian.PutUint64(b[16:], next)
	binary.LittleEndian.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
	if _, err := c.file.WriteAt(b[:], int64(times%2)*slotGap); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	c.next, c.times, c.dirty = next, times, true
	return nil
}

func (c *cursor) sync() error {
	if !c.dirty {
		return nil
	}
	if err := datasync(c.file); err != nil {
		return fmt.Errorf("make cursor durable: %w", err)
	}
	c.dirty = false
	return nil
}
