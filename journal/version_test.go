package journal_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/journal"
)

// testdata/version-1.journal was written by the first version of the format, with
// every field of a call. It is never written anew: what it holds must be read by
// every later version, as testdata/version-1.jsonl has it.
func TestVersion1IsRead(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "version-1.journal"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "version-1.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "00000000000000000001.journal"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := whole(t, dir); r.Calls != 3 || r.Checkpoints == 0 || r.Unsigned != 0 {
		t.Errorf("verify: %+v", r)
	}
	var got strings.Builder
	if _, err := journal.Export(t.Context(), dir, journal.Range{}, nil, &got); err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("the export differs first at line %d of %d and %d:\n%s\nwant\n%s", i+1, len(gotLines), len(wantLines), gotLines[min(i, len(gotLines)-1)], wantLines[min(i, len(wantLines)-1)])
		}
	}
	if calls := contents(t, dir); len(calls) != 3 || calls[0].Run == nil || calls[0].UsageRaw == "" {
		t.Errorf("a follower gets %d calls", len(calls))
	}
}

// A journal of a later version is refused, and not touched.
func TestLaterVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, numbered(0, 2))
	file := segments(t, dir)[0]
	header := make([]byte, 128)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(header, 0); err != nil {
		t.Fatal(err)
	}
	header[8] = 2
	sum := crc32.Checksum(header[:124], crc32.MakeTable(crc32.Castagnoli))
	scratch(t, file, 0, binary.LittleEndian.AppendUint32(header[:124:124], sum))
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(config(dir), journal.Settings{Log: quiet()}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("Open: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the segment was changed: %v", err)
	}
}
