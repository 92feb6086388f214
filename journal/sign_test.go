package journal_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanwire/spanwire/journal"
)

func key(t *testing.T, digits string) ed25519.PrivateKey {
	t.Helper()
	k, err := journal.SigningKey(strings.Repeat(digits, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// A checkpoint an hour, and one at the end, while there is something to sign.
func TestCheckpoints(t *testing.T) {
	dir := t.TempDir()
	k := key(t, "ab")
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(config(dir), journal.Settings{Log: quiet(), SigningKey: k, Retention: 48 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			add(t, j, 0, 20)
			time.Sleep(time.Hour + time.Minute)
		}
		time.Sleep(10 * time.Hour) // nothing happens: there is nothing to sign
		add(t, j, 0, 20)
		synctest.Wait()
		add(t, j, 0, 7)
		shut(t, j)
	})
	r, err := journal.Verify(t.Context(), dir, journal.Range{}, public(k))
	if err != nil || r.Broken != nil {
		t.Fatalf("%v, %v", err, r.Broken)
	}
	if r.Calls != 127 || r.Checkpoints < 6 || r.Checkpoints > 8 || r.Unsigned != 0 || r.Signed != r.Last-1 || len(r.Keys) != 1 || r.Keys[0] != hex.EncodeToString(public(k)) {
		t.Errorf("%+v", r)
	}
	// Followers are not shown them.
	if got := contents(t, dir); len(got) != 127 {
		t.Errorf("%d calls", len(got))
	}
	// Another key must not do.
	if r, err := journal.Verify(t.Context(), dir, journal.Range{}, public(key(t, "cd"))); err != nil || r.Broken == nil || !strings.Contains(r.Broken.Reason, "another key") {
		t.Errorf("with another key: %v, %v", err, r.Broken)
	}
}

// Whoever has the file and not the key can write a chain that holds, and cannot
// make it look signed.
func TestForgery(t *testing.T) {
	dir, forged := t.TempDir(), t.TempDir()
	mine, theirs := key(t, "ab"), key(t, "cd")
	many(t, dir, 60, journal.Settings{SigningKey: mine})
	many(t, forged, 40, journal.Settings{SigningKey: theirs})
	verify := func(dir string) journal.Report {
		t.Helper()
		r, err := journal.Verify(t.Context(), dir, journal.Range{}, public(mine))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(dir); r.Broken != nil || r.Unsigned != 0 {
		t.Errorf("the true one: %+v", r)
	}
	if r := verify(forged); r.Broken == nil {
		t.Errorf("the forged one: %+v", r)
	}
	// A signature moved from one journal to the other does not hold there either: a
	// journal without any checkpoint is seen to have none.
	unsigned := t.TempDir()
	many(t, unsigned, 40, journal.Settings{})
	if r := verify(unsigned); r.Broken != nil || r.Signed != 0 || r.Unsigned != 40 {
		t.Errorf("without checkpoints: %+v", r)
	}
	// Cut off behind the first checkpoint: what is left holds, and ends earlier.
	file := segments(t, dir)[0]
	before := verify(dir)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data[:len(data)-300], 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(dir); r.Broken == nil && r.Signed >= before.Signed {
		t.Errorf("cut off: %+v, before %+v", r, before)
	}
}

func TestKeys(t *testing.T) {
	seed := make([]byte, 32)
	seed[3] = 7
	want := ed25519.NewKeyFromSeed(seed)
	for _, text := range []string{hex.EncodeToString(seed), " " + hex.EncodeToString(seed) + "\n", base64.StdEncoding.EncodeToString(seed), base64.RawURLEncoding.EncodeToString(seed)} {
		if k, err := journal.SigningKey(text); err != nil || !k.Equal(want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "hunter2", hex.EncodeToString(seed[:31]), strings.Repeat("z", 64)} {
		_, err := journal.SigningKey(text)
		if err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if p, err := journal.PublicKey(hex.EncodeToString(public(want))); err != nil || !p.Equal(public(want)) {
		t.Errorf("public key: %v", err)
	}
}

// A range of the journal is verified from the segment that it begins in.
func TestRange(t *testing.T) {
	dir := t.TempDir()
	var days []time.Time
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(small(dir), journal.Settings{Log: quiet(), Retention: 90 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			days = append(days, time.Now())
			add(t, j, 0, 60)
			time.Sleep(24 * time.Hour)
		}
		shut(t, j)
	})
	r, err := journal.Verify(t.Context(), dir, journal.Range{From: days[3], To: days[5]}, nil)
	if err != nil || r.Broken != nil || r.Calls != 180 || r.First != 181 || r.Last != 360 {
		t.Errorf("%+v, %v", r, err)
	}
	var out strings.Builder
	if n, err := journal.Export(t.Context(), dir, journal.Range{From: days[9]}, nil, &out); n != 60 || err != nil {
		t.Errorf("exported %d, %v", n, err)
	}
	if _, err := journal.Verify(t.Context(), t.TempDir(), journal.Range{}, nil); err == nil {
		t.Error("an empty folder is a journal")
	}
}
