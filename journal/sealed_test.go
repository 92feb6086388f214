package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/llm"
)

func keys(t testing.TB, digits ...string) *sealed.Keys {
	t.Helper()
	var words []string
	for _, d := range digits {
		words = append(words, strings.Repeat(d, 32))
	}
	k, err := sealed.ReadKeys(strings.Join(words, " "))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openWith(t testing.TB, dir string, k *sealed.Keys) *journal.Journal {
	t.Helper()
	j, err := journal.Open(config(dir), journal.Settings{Log: quiet(), Keys: k})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func spoken(id int, text string) *llm.Call {
	c := sinktest.Call(id)
	c.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: text}}}}
	return c
}

// said is a follower that keeps what was said in calls.
type said struct {
	mu    sync.Mutex
	texts []string
	down  bool
}

func (s *said) take(_ context.Context, calls []*llm.Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errDown
	}
	for _, c := range calls {
		s.texts = append(s.texts, c.Input[0].Parts[0].Content)
	}
	return nil
}

// Contents are on disk encrypted only; followers get them as they were, from memory
// and from disk; the chain is verified without the key.
func TestContentsAreEncrypted(t *testing.T) {
	dir, k := t.TempDir(), keys(t, "11")
	j := openWith(t, dir, k)
	const secret = "the merger is called Bluebird"
	down := &said{down: true}
	follow(t, j, "late", down.take)
	if err := j.Append(t.Context(), []*llm.Call{spoken(1, secret), spoken(2, strings.Repeat("many words ", 20_000))}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	for _, file := range segments(t, dir) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"Bluebird", "many words"} {
			if bytes.Contains(data, []byte(word)) {
				t.Errorf("%q is in %s", word, file)
			}
		}
	}
	if r := whole(t, dir); r.Calls != 2 || r.Sealed != 2 {
		t.Errorf("verify without the key: %+v", r)
	}

	j = openWith(t, dir, k)
	late := &said{}
	follow(t, j, "late", late.take)
	shut(t, j)
	if len(late.texts) != 2 || late.texts[0] != secret {
		t.Errorf("a follower got %.80q", late.texts)
	}

	export := func(k *sealed.Keys) (string, error) {
		var out strings.Builder
		_, err := journal.Export(t.Context(), dir, journal.Range{}, k, &out)
		return out.String(), err
	}
	if out, err := export(k); err != nil || !strings.Contains(out, secret) || strings.Contains(out, "content_encrypted") {
		t.Errorf("export with the key: %v, %.300s", err, out)
	}
	out, err := export(nil)
	var line struct {
		Call struct {
			Encrypted bool   `json:"content_encrypted"`
			Model     string `json:"request_model"`
		} `json:"call"`
	}
	if jerr := json.NewDecoder(strings.NewReader(out)).Decode(&line); err != nil || jerr != nil || !line.Call.Encrypted || strings.Contains(out, secret) {
		t.Errorf("export without a key: %v, %v, %.300s", err, jerr, out)
	}
	if _, err := export(keys(t, "22")); !errors.Is(err, sealed.ErrNoKey) {
		t.Errorf("export with another key: %v", err)
	}
}

// A changed byte of the encrypted content is found by the chain, without the key.
func TestEncryptedContentIsInTheChain(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, keys(t, "11"))
	for _, c := range []*llm.Call{spoken(1, strings.Repeat("words ", 1000)), spoken(2, "more")} { // what is damaged in the last batch may be a torn write
		if err := j.Append(t.Context(), []*llm.Call{c}); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, j)
	file := segments(t, dir)[0]
	scratch(t, file, 4000, []byte("changed!"))
	r, err := journal.Verify(t.Context(), dir, journal.Range{}, nil)
	if err != nil || r.Broken == nil || r.Broken.Record != 1 {
		t.Errorf("verify: %v, broken %v", err, r.Broken)
	}
}

// A new key is taken into use beside the old one, which opens what is there; without
// the old one the journal says what is missing, and nothing is passed over.
func TestKeyIsReplaced(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, keys(t, "11"))
	waiting := &said{down: true}
	follow(t, j, "slow", waiting.take)
	if err := j.Append(t.Context(), []*llm.Call{spoken(1, "with the old key")}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)

	for name, k := range map[string]*sealed.Keys{"another key": keys(t, "22"), "no key": nil} {
		j = openWith(t, dir, k)
		err := j.Follow("slow", waiting.take)
		if !errors.Is(err, sealed.ErrNoKey) || !strings.Contains(err.Error(), keys(t, "11").IDs()) || strings.Contains(err.Error(), "1111") {
			t.Errorf("%s: %v", name, err)
		}
		shut(t, j)
	}

	j = openWith(t, dir, keys(t, "22", "11"))
	both := &said{}
	follow(t, j, "slow", both.take)
	if err := j.Append(t.Context(), []*llm.Call{spoken(2, "with the new key")}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	if want := []string{"with the old key", "with the new key"}; !slices.Equal(both.texts, want) {
		t.Errorf("got %q, want %q", both.texts, want)
	}

	// Everything that waited was delivered: the old key may go.
	j = openWith(t, dir, keys(t, "22"))
	after := &said{}
	follow(t, j, "slow", after.take)
	shut(t, j)
	if len(after.texts) != 0 {
		t.Errorf("got %q again", after.texts)
	}
}

// A record that cannot be opened holds its follower until the key is there: what is
// before it is delivered, nothing after it.
func TestAMissingKeyHoldsItsFollower(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, nil)
	down := &said{down: true}
	follow(t, j, "slow", down.take)
	if err := j.Append(t.Context(), []*llm.Call{spoken(1, "plain")}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)
	j = openWith(t, dir, keys(t, "11"))
	follow(t, j, "slow", down.take)
	if err := j.Append(t.Context(), []*llm.Call{spoken(2, "encrypted")}); err != nil {
		t.Fatal(err)
	}
	shut(t, j)

	j = openWith(t, dir, nil)
	got := make(chan string, 4)
	follow(t, j, "slow", func(_ context.Context, calls []*llm.Call) error {
		for _, c := range calls {
			got <- c.Input[0].Parts[0].Content
		}
		return nil
	})
	if s := <-got; s != "plain" {
		t.Errorf("got %q", s)
	}
	shut(t, j)
	close(got)
	for s := range got {
		t.Errorf("got %q as well", s)
	}
	j = openWith(t, dir, keys(t, "11"))
	rest := &said{}
	follow(t, j, "slow", rest.take)
	shut(t, j)
	if !slices.Equal(rest.texts, []string{"encrypted"}) {
		t.Errorf("with the key: %q", rest.texts)
	}
}
