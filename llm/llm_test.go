package llm_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
)

func TestMoneyIsExactText(t *testing.T) {
	f := func(p llm.PicoUSD, want string) {
		t.Helper()
		if got := p.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(p), got, want)
		}
	}
	f(0, "0")
	f(1, "0.000000000001")
	f(-1, "-0.000000000001")
	f(351_000_000, "0.000351")
	f(2_000_000_000_000, "2")
	f(1_234_567_890_123_456, "1234.567890123456")
	f(math.MaxInt64, "9223372.036854775807")
	f(math.MinInt64, "-9223372.036854775808")
}

func FuzzMoney(f *testing.F) {
	f.Add(int64(1))
	f.Add(int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, n int64) {
		s := llm.PicoUSD(n).String()
		r, ok := new(big.Rat).SetString(s)
		if !ok || r.Mul(r, big.NewRat(1e12, 1)).Cmp(new(big.Rat).SetInt64(n)) != 0 {
			t.Fatalf("%d is %q", n, s)
		}
		if strings.Contains(s, ".") && strings.HasSuffix(s, "0") || strings.HasSuffix(s, ".") {
			t.Fatalf("%q has zeros to spare", s)
		}
	})
}

func TestUnknownUsageIsNotZero(t *testing.T) {
	var u llm.Usage
	if _, ok := u.Input(); ok || u.Known() {
		t.Error("nothing was set and something is known")
	}
	u.Set(llm.Reasoning, 0)
	if n, ok := u.Output(); n != 0 || !ok || !u.Known() {
		t.Error("a count of 0 is known")
	}
	if _, ok := u.Input(); ok {
		t.Error("the other side is not")
	}
	u.Set(llm.UncachedInput, -5) // a broken report says nothing
	if _, ok := u.Get(llm.UncachedInput); ok {
		t.Error("a negative count was taken")
	}
	u.Set(llm.UncachedInput, 7)
	u.Set(llm.CacheRead, 10)
	u.Set(llm.CacheReadAudio, 1)
	u.Set(llm.CacheWrite1h, 100)
	u.Set(llm.Images, 3)
	sum := fmt.Sprint(first(u.Input()), first(u.CacheReads()), first(u.CacheWrites()))
	if sum != "118 11 100" {
		t.Errorf("sums are %s", sum)
	}
	copied := u
	copied.Set(llm.UncachedInput, 8)
	if n, _ := u.Get(llm.UncachedInput); n != 7 || copied == u {
		t.Error("a copy is not independent")
	}
}

func first(n int64, _ bool) int64 { return n }

func TestUsageKindsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range llm.UsageKinds() {
		if k.String() == "" || seen[k.String()] {
			t.Errorf("kind %d is called %q", k, k)
		}
		seen[k.String()] = true
	}
	if !llm.RejectedPrediction.Tokens() || llm.WebSearches.Tokens() {
		t.Error("tokens end at the last kind of output")
	}
}

func TestHeader(t *testing.T) {
	h := llm.Header("X-A:  1 \r\nx-b: two\r\nno colon\r\nX-a:3\r\nEmpty:\r\n")
	if h.Get("x-a") != "1" || h.Get("X-B") != "two" || h.Get("empty") != "" || h.Get("absent") != "" {
		t.Error("Get")
	}
	if got := h.Values("X-A"); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("Values: %q", got)
	}
	var names []string
	for n := range h.All() {
		names = append(names, n)
	}
	if !slices.Equal(names, []string{"X-A", "x-b", "X-a", "Empty"}) {
		t.Errorf("All: %q", names)
	}
	for range h.All() {
		break // a walk may be left
	}
}

func TestCallAttrsAndModel(t *testing.T) {
	var c llm.Call
	c.SetAttr("a", "1")
	c.SetAttr("b", int64(2))
	c.SetAttr("a", true)
	if len(c.Attrs) != 2 || c.Attrs[0].Value != true {
		t.Errorf("attrs %v", c.Attrs)
	}
	c.RequestModel = "asked"
	if c.Model() != "asked" {
		t.Error("the model that was asked")
	}
	if c.ResponseModel = "answered"; c.Model() != "answered" {
		t.Error("the model that answered comes first")
	}
}

func TestAttributesAreFinite(t *testing.T) {
	var c llm.Call
	c.SetAttr("a", 1.5)
	for _, v := range []any{math.Inf(1), math.Inf(-1), math.NaN()} {
		c.SetAttr("a", v)
		c.SetAttr("b", v)
	}
	if len(c.Attrs) != 1 || c.Attrs[0].Value != 1.5 {
		t.Errorf("%v", c.Attrs)
	}
}
