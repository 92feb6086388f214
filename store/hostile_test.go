//go:build unix

package store_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/sinktest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/store"
)

// long runs the tests with the numbers that users could have: `make store-long`.
var long = flag.Bool("long", false, "a million users, bodies of 100 MB")

func size1(short, real int) int {
	if *long {
		return real
	}
	return short
}

// Whatever stands in the fields of a call, it is found by that, and nothing else is.
func TestHostileValues(t *testing.T) {
	values := []string{
		"'; DROP TABLE call; --", `" OR 1=1 --`, "a\x00b", "\xff\xfe\xc3\x28", "%", "_", "*", "NULL", "other", llm.OtherValue, " ", "\n", "\u202e", "ünï😀",
		strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20) + "y", strings.Repeat("é", 1<<19), "[redacted]", "0", "-1", "1e999",
	}
	s := open(t, t.TempDir())
	for i, v := range values {
		c := sinktest.Call(i)
		c.RequestModel, c.ResponseModel, c.Provider, c.Operation, c.ErrorType = v, "", v, v, v
		c.Attribution = llm.Attribution{Team: v, User: v, Key: v, Agent: v, Session: v, Tags: []string{v, v}}
		c.Run = &llm.Run{ID: v, Session: v}
		c.Input[0].Parts[0].Content = v
		keep(t, s, c)
	}
	if err := s.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if v == llm.OtherValue {
			continue // asks for all that have no totals of their own: there are none
		}
		for _, d := range llm.Dimensions() {
			if d == llm.DimOutcome || d == llm.DimUsageSource || d == llm.DimCostSource || d == llm.DimCostStatus {
				continue
			}
			f := llm.Filter{Is: is{d: {v}}}
			page, err := s.Calls(t.Context(), f, "", 0)
			if err != nil || len(page.Calls) != 1 || page.Calls[0].ID != sinktest.ID(i) {
				t.Errorf("%.30q as %s: %d calls, %v", v, d, len(page.Calls), err)
			}
			got, err := s.Totals(t.Context(), llm.TotalsQuery{Filter: f, By: []llm.Dimension{d}})
			if err != nil || len(got) != 1 || got[0].Calls != 1 {
				t.Errorf("%.30q as %s: totals %.200v, %v", v, d, got, err)
			}
		}
		for what, f := range map[string]llm.Filter{"session": {Session: v}, "run": {Run: v}} {
			page, err := s.Calls(t.Context(), f, "", 0)
			if err != nil || len(page.Calls) != 1 || page.Calls[0].ID != sinktest.ID(i) {
				t.Errorf("%.30q as %s: %d calls, %v", v, what, len(page.Calls), err)
			}
		}
		if _, err := s.Calls(t.Context(), llm.Filter{Text: v}, "", 0); err != nil {
			t.Errorf("%.30q as text: %v", v, err)
		}
		if c := get(t, s.Reader, sinktest.ID(i)); c.Attribution.Team != v || c.Input[0].Parts[0].Content != v {
			t.Errorf("%.30q did not come back", v)
		}
	}
	if rep := check(t, s.Reader); len(rep.Problems) > 0 {
		t.Errorf("%.500q", rep.Problems)
	}
}

// Very many users, models and teams: those that came first have totals of their own,
// the rest is counted as other, and every call is found by its user all the same.
func TestVeryManyValues(t *testing.T) {
	n, most := size1(4000, 1_000_000), size1(50, 1000)
	s := open(t, t.TempDir(), func(c *store.Config, _ *store.Settings) { c.MaxValues, c.FullText = most, false })
	batch := make([]*llm.Call, 0, 256)
	for i := range n {
		c := sinktest.Call(i)
		c.Start = noon() // one hour has them all
		c.System, c.Tools, c.Input, c.Output = nil, nil, nil, nil
		c.Attribution = llm.Attribution{User: fmt.Sprint("user-", i), Team: fmt.Sprint("team-", i%(n/4)), Tags: []string{fmt.Sprint("tag-", i)}}
		c.ResponseModel = fmt.Sprint("model-", i%(n/8))
		if batch = append(batch, c); len(batch) == cap(batch) || i == n-1 {
			keep(t, s, batch...)
			batch = batch[:0]
		}
	}
	if st := s.Stats(); st.Other == 0 {
		t.Errorf("nothing was counted as other: %+v", st)
	}
	for _, d := range []llm.Dimension{llm.DimUser, llm.DimTeam, llm.DimModel, llm.DimTag} {
		got, err := s.Totals(t.Context(), llm.TotalsQuery{By: []llm.Dimension{d}, Limit: 20 * most})
		if err != nil {
			t.Fatal(err)
		}
		var calls int64
		for _, g := range got {
			calls += g.Calls
		}
		rest := slices.IndexFunc(got, func(g llm.Total) bool { return g.Values[0] == llm.OtherValue })
		if calls != int64(n) || len(got) > most+1 || rest < 0 || got[rest].Calls < int64(n)/2 {
			t.Errorf("%s: %d calls in %d values, other is number %d", d, calls, len(got), rest)
		}
	}
	if rows := number(t, s.Dir()+"/calls/"+today+".db", "SELECT count(*) FROM usage"); rows > int64(40*most) {
		t.Errorf("%d rows of totals", rows)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		f := llm.Filter{Is: is{llm.DimUser: {fmt.Sprint("user-", i)}}}
		page, err := s.Calls(t.Context(), f, "", 0)
		if err != nil || len(page.Calls) != 1 || page.Calls[0].ID != sinktest.ID(i) {
			t.Errorf("user %d: %d calls, %v", i, len(page.Calls), err)
		}
		got, err := s.Totals(t.Context(), llm.TotalsQuery{Filter: f})
		if err != nil || len(got) != 1 || got[0].Calls != 1 {
			t.Errorf("user %d: totals %v, %v", i, got, err)
		}
	}
}

// Long conversations and large texts: kept whole, once, in bounded memory.
func TestLargeCalls(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	big := sinktest.Call(1)
	p := newProse(1)
	text := p.text(1 << 20)
	body := strings.Repeat(text, size1(8, 100))
	big.Input = []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: body}}}}
	again := sinktest.Call(2)
	again.Input = big.Input
	many := sinktest.Call(3)
	many.Input = nil
	for i := range 10_000 {
		many.Input = append(many.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprint("message ", i)}}})
	}
	keep(t, s, big, again, many)
	before := size(t, dir, "calls/*")
	keep(t, s, func() *llm.Call { c := *many; c.ID = sinktest.ID(4); return &c }())
	if grown := size(t, dir, "calls/*") - before; grown > 200<<10 {
		t.Errorf("the same 10,000 messages once more cost %d bytes", grown)
	}
	for _, want := range []*llm.Call{big, again, many} {
		if !same(get(t, s.Reader, want.ID), want) {
			t.Errorf("call %s did not come back whole", want.ID)
		}
	}
	if n := number(t, dayFile(dir, ".bodies.db"), "SELECT count(*) FROM large"); n != 1 {
		t.Errorf("the large text is kept %d times", n)
	}
	if err := s.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if most := uint64(len(body)) + 256<<20; m.HeapAlloc > most {
		t.Errorf("%d MB of heap are in use", m.HeapAlloc>>20)
	}
}

// A day of images: each is kept once, in however many calls it is.
func TestImagesAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	images := size1(4, 40)
	each := size1(200<<10, 1<<20)
	rng := newProse(9).rng
	var blobs []string
	for range images {
		b := make([]byte, each)
		for i := range b {
			b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[rng.IntN(64)]
		}
		blobs = append(blobs, string(b))
	}
	for i := range 25 * images {
		c := sinktest.Call(i)
		c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartBlob, Modality: "image", MIMEType: "image/png", Content: blobs[i%images]}}})
		keep(t, s, c)
	}
	shut(t, s)
	if n, most := size(t, dir, "calls/*.bodies.db"), int64(images*each)+1<<20; n > most {
		t.Errorf("%d images of %d KB in %d calls take %d KB", images, each>>10, 25*images, n>>10)
	}
}

// What is encrypted is nowhere in the files, and comes back with the key only.
func TestEncryptedStore(t *testing.T) {
	dir := t.TempDir()
	key := toySealer{}
	s := open(t, dir, func(_ *store.Config, set *store.Settings) { set.Sealer = key })
	secret := "the quick brown secret"
	var calls []*llm.Call
	for i := range 20 {
		c := sinktest.Call(i)
		c.Input = append(c.Input, llm.Message{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: fmt.Sprint(secret, i, strings.Repeat(" long", i*3000))}}})
		calls = append(calls, c)
	}
	keep(t, s, calls...)
	for _, want := range calls {
		if got := get(t, s.Reader, want.ID); !same(got, want) {
			t.Errorf("came back as\n%.500s", fmt.Sprintf("%+v", got))
		}
	}
	if page, err := s.Calls(t.Context(), llm.Filter{}, "", 5); err != nil || !strings.HasPrefix(page.Calls[0].Preview, secret) {
		t.Errorf("%+v, %v", page, err)
	}
	if rep := check(t, s.Reader); len(rep.Problems) > 0 || rep.Sealed > 0 {
		t.Errorf("%+v", rep)
	}
	shut(t, s)
	if n := number(t, dayFile(dir, ".bodies.db"), "SELECT (SELECT count(*) FROM said WHERE instr(preview, 'secret') OR substr(pieces, 1, 1) <> x'01') + (SELECT count(*) FROM pieces WHERE substr(calls, 1, 1) <> x'01')"); n != 0 {
		t.Errorf("%d rows are not encrypted", n)
	}
	if n := number(t, dayFile(dir, ".bodies.db"), "SELECT (SELECT count(*) FROM piece) + (SELECT count(*) FROM pieces WHERE hashes IS NOT NULL)"); n != 0 {
		t.Errorf("there are %d digests, by which a text can be guessed", n)
	}
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if c := get(t, r, calls[3].ID); c.Input != nil || c.Usage != calls[3].Usage || !strings.Contains(strings.Join(c.Problems, " "), "encrypted") {
		t.Errorf("without the key: %+v", c)
	}
	if page, err := r.Calls(t.Context(), llm.Filter{}, "", 5); err != nil || len(page.Calls) != 5 || page.Calls[0].Preview != "" {
		t.Errorf("without the key: %+v, %v", page, err)
	}
	if rep := check(t, r); len(rep.Problems) > 0 || rep.Sealed != 20 {
		t.Errorf("without the key: %+v", rep)
	}
}

// toySealer marks and turns bytes, and knows their place. (internal/sealed is the real
// one, and tested by itself.)
type toySealer struct{}

func (toySealer) Seal(dst, text []byte, place string) ([]byte, error) {
	dst = append(append(append(dst, 1), byte(len(place))), place...)
	for _, b := range text {
		dst = append(dst, b^0x55)
	}
	return dst, nil
}

func (toySealer) Open(dst, sealed []byte, place string) ([]byte, error) {
	n := int(sealed[1])
	if sealed[0] != 1 || string(sealed[2:2+n]) != place {
		return dst, fmt.Errorf("sealed for %q, opened as %q", sealed[2:2+n], place)
	}
	for _, b := range sealed[2+n:] {
		dst = append(dst, b^0x55)
	}
	return dst, nil
}
