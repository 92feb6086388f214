package pricing_test

import (
	"encoding/json"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// The oracle is a second implementation of the rules, written for nothing but to be
// easy to check: everything is looked up in the decoded JSON each time, every
// number is a big.Rat, and totals are inclusive, so that sub-rates are taken off
// their parents one after the other. It shares no code with the package.
type oracle struct {
	providers []map[string]any
	holidays  map[string]any
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	data, err := os.ReadFile("prices.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	o := &oracle{holidays: doc["holidays"].(map[string]any)}
	for _, p := range doc["providers"].([]any) {
		o.providers = append(o.providers, p.(map[string]any))
	}
	return o
}

func (o *oracle) row(provider, model string) (p, m map[string]any) {
	for _, p := range o.providers {
		if p["id"] != provider {
			continue
		}
		for _, m := range p["models"].([]any) {
			if m := m.(map[string]any); m["id"] == model {
				return p, m
			}
		}
	}
	return nil, nil
}

func rat(v any) *big.Rat {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("not a number: " + s)
	}
	return r
}

// inclusive totals, by the words of the price table.
func inclusive(u llm.Usage) map[string]int64 {
	g := func(ks ...llm.UsageKind) (n int64) {
		for _, k := range ks {
			v, _ := u.Get(k)
			n += v
		}
		return n
	}
	in, _ := u.Input()
	out, _ := u.Output()
	return map[string]int64{
		"input": in, "output": out,
		"cache_read":       g(llm.CacheRead, llm.CacheReadAudio, llm.CacheReadImage),
		"cache_read_audio": g(llm.CacheReadAudio), "cache_read_image": g(llm.CacheReadImage),
		"cache_write":    g(llm.CacheWrite, llm.CacheWrite1h, llm.CacheWrite12h),
		"cache_write_1h": g(llm.CacheWrite1h), "cache_write_12h": g(llm.CacheWrite12h),
		"input_audio": g(llm.AudioInput, llm.CacheReadAudio), "input_image": g(llm.ImageInput, llm.CacheReadImage),
		"input_video": g(llm.VideoInput),
		"reasoning":   g(llm.Reasoning), "output_audio": g(llm.AudioOutput), "output_image": g(llm.ImageOutput), "output_video": g(llm.VideoOutput),
	}
}

var subRates = map[string][]string{
	"input":       {"cache_read", "cache_write", "input_audio", "input_image", "input_video"},
	"cache_read":  {"cache_read_audio", "cache_read_image"},
	"cache_write": {"cache_write_1h", "cache_write_12h"},
	"output":      {"reasoning", "output_audio", "output_image", "output_video"},
}

// leaves takes each priced sub-rate's tokens from its parent.
func leaves(total map[string]int64, rates map[string]*big.Rat) map[string]int64 {
	// A token that is cached and of a modality is a cached token, if those are priced.
	for _, mod := range []string{"audio", "image"} {
		if rates["cache_read"] != nil || rates["cache_read_"+mod] != nil {
			total["input_"+mod] -= total["cache_read_"+mod]
		}
	}
	leaf := map[string]int64{}
	var take func(name string) int64 // the tokens of name and below that are charged
	take = func(name string) int64 {
		var below int64
		for _, sub := range subRates[name] {
			below += take(sub)
		}
		if rates[name] == nil {
			return below
		}
		leaf[name] = total[name] - below
		return total[name]
	}
	take("input")
	take("output")
	return leaf
}

// cost returns nil for unset. The amount is in pico-USD.
func (o *oracle) cost(provider, model string, at time.Time, u llm.Usage, host string) *big.Int {
	p, m := o.row(provider, model)
	if m == nil {
		return nil
	}
	price := o.inForce(m["price"], at)
	if price == nil {
		return nil
	}
	rates, moved := map[string]*big.Rat{}, map[string]bool{}
	lay := func(from map[string]any, over bool) {
		for k, v := range from {
			if n, ok := v.(json.Number); ok && k != "min" {
				rates[k] = rat(n)
				moved[k] = moved[k] || over
			}
		}
	}
	lay(price, false)
	base := map[string]*big.Rat{"input": rates["input"], "output": rates["output"]}
	if w := o.window(price, at); w != nil {
		lay(w, true)
	}
	total := inclusive(u)
	if steps, ok := price["long"].([]any); ok {
		var last map[string]any
		for _, s := range steps {
			if rat(s.(map[string]any)["min"]).Cmp(new(big.Rat).SetInt64(total["input"])) <= 0 {
				last = s.(map[string]any)
			}
		}
		lay(last, true)
	}
	if !o.tier(p, m, rates, moved, base, u) {
		return nil
	}
	usd := new(big.Rat)
	million := new(big.Rat).SetInt64(1_000_000)
	mul := o.region(p, m, at, u, host)
	got := leaves(total, rates)
	for _, side := range []string{"input", "output"} {
		if rates[side] == nil && sum(got, side) != total[side] {
			return nil
		}
	}
	for name, n := range got {
		c := new(big.Rat).SetInt64(n)
		c.Mul(c, rates[name]).Quo(c, million).Mul(c, mul)
		usd.Add(usd, c)
	}
	if f := price["per_request"]; f != nil {
		usd.Add(usd, rat(f))
	}
	if !o.fees(p, m, price, u, usd) {
		return nil
	}
	usd.Mul(usd, new(big.Rat).SetInt64(1_000_000_000_000))
	usd.Add(usd, big.NewRat(1, 2))
	return new(big.Int).Quo(usd.Num(), usd.Denom())
}

func sum(leaf map[string]int64, side string) int64 {
	n := leaf[side]
	for _, sub := range subRates[side] {
		n += sum(leaf, sub)
	}
	return n
}

func (o *oracle) inForce(price any, at time.Time) map[string]any {
	list, ok := price.([]any)
	if !ok {
		list = []any{price}
	}
	var last map[string]any
	for _, e := range list {
		e := e.(map[string]any)
		if from, ok := e["from"].(string); ok && at.Before(instant(from)) {
			continue
		}
		last = e
	}
	return last
}

func instant(s string) time.Time {
	if len(s) == len("2026-01-01") {
		s += "T00:00:00Z"
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func (o *oracle) window(price map[string]any, at time.Time) map[string]any {
	ws, _ := price["windows"].([]any)
	at = at.UTC()
	for _, w := range ws {
		w := w.(map[string]any)
		day := int64((int(at.Weekday())+6)%7 + 1)
		if !slices.ContainsFunc(w["days"].([]any), func(d any) bool { n, _ := d.(json.Number).Int64(); return n == day }) {
			continue
		}
		if cal, ok := w["holidays"].(string); ok {
			if slices.Contains(o.holidays[cal].(map[string]any)["dates"].([]any), any(at.Format(time.DateOnly))) {
				continue
			}
		}
		clock := at.Format("15:04")
		for _, span := range w["windows_utc"].([]any) {
			from, to, _ := strings.Cut(span.(string), "-")
			if clock >= from && clock < to {
				return w
			}
		}
	}
	return nil
}

func (o *oracle) tier(p, m map[string]any, rates map[string]*big.Rat, moved map[string]bool, base map[string]*big.Rat, u llm.Usage) bool {
	name := u.Tier
	if u.Speed == "fast" {
		name = "fast"
	}
	if u.Batch {
		name = "batch"
	}
	if name == "" {
		return true
	}
	if ts, ok := m["tiers"].(map[string]any); ok && ts[name] != nil {
		t := ts[name].(map[string]any)
		for k := range rates {
			side := "input"
			if k == "output" || slices.Contains(subRates["output"], k) {
				side = "output"
			}
			if strings.HasPrefix(k, "per_") {
				continue
			}
			if t[k] != nil && !moved[k] {
				rates[k] = rat(t[k])
				continue
			}
			f := new(big.Rat).Quo(rat(t[side]), base[side])
			rates[k] = new(big.Rat).Mul(rates[k], f)
		}
		return true
	}
	st, _ := p["service_tiers"].(map[string]any)
	v, listed := st[name]
	if listed && v == nil {
		return false
	}
	if !listed {
		return name == "default" || name == "standard"
	}
	for k := range rates {
		rates[k] = new(big.Rat).Mul(rates[k], rat(v))
	}
	return true
}

func (o *oracle) region(p, m map[string]any, at time.Time, u llm.Usage, host string) *big.Rat {
	rs, _ := p["regions"].([]any)
	for _, r := range rs {
		r := r.(map[string]any)
		if !regexp.MustCompile(r["models"].(string)).MatchString(m["id"].(string)) {
			continue
		}
		if from, ok := r["from"].(string); ok && at.Before(instant(from)) {
			continue
		}
		hosts, _ := r["host"].([]any)
		values, _ := r["values"].([]any)
		notIn, hasNot := r["location_not"].([]any)
		if slices.Contains(hosts, any(host)) || slices.Contains(values, any(u.Region)) ||
			hasNot && u.Region != "" && !slices.Contains(notIn, any(u.Region)) {
			return rat(r["multiply"])
		}
	}
	return big.NewRat(1, 1)
}

func (o *oracle) fees(p, m, price map[string]any, u llm.Usage, usd *big.Rat) bool {
	add := func(n int64, v any, per int64) {
		c := rat(v)
		c.Mul(c, big.NewRat(n, per))
		usd.Add(usd, c)
	}
	tool := func(k llm.UsageKind, names ...string) bool {
		n, _ := u.Get(k)
		if n == 0 {
			return true
		}
		for _, name := range names {
			for _, of := range []map[string]any{m, p} {
				if ts, ok := of["tools"].(map[string]any); ok && ts[name] != nil {
					add(n, ts[name], 1)
					return true
				}
			}
		}
		return false
	}
	// A unit without a price is unknown, unless the row bills that side by tokens.
	units := []struct {
		kind llm.UsageKind
		name string
		per  int64
	}{{llm.Pages, "per_page", 1}, {llm.SearchUnits, "per_rerank", 1}, {llm.AudioInMillis, "per_audio_hour", 3_600_000}}
	for _, x := range units {
		n, _ := u.Get(x.kind)
		tokens, _ := u.Input()
		switch {
		case n > 0 && price[x.name] != nil:
			add(n, price[x.name], x.per)
		case n > 0 && tokens == 0:
			return false
		}
	}
	return tool(llm.WebSearches, "web_search") && tool(llm.FileSearches, "file_search") &&
		tool(llm.CodeSessions, "code_interpreter_session", "code_execution")
}
