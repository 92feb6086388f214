package pricing_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/pricing"
)

// shared reads a file of the shared data, or skips.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("SPANWIRE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("NOT TESTED: costs against the vectors of %s. Set SPANWIRE_DATA to the folder of the shared data. (%v)", name, err)
	}
	return data
}

type vector struct {
	ID, Provider, Model string
	At                  time.Time
	Usage               map[string]int64
	Tier, Region        string
	ExpectUSD           *string `json:"expect_usd"`
	Tags                []string
	Response            *struct {
		Usage struct {
			Ticks *int64 `json:"cost_in_usd_ticks"`
		}
	}
}

// kinds turns inclusive counts into the disjoint kinds: what contains loses what
// it contains.
func (v *vector) kinds(t testing.TB) (u llm.Usage) {
	t.Helper()
	n := map[string]int64{}
	for k, c := range v.Usage {
		n[k] = c
	}
	get := func(k string) int64 { c := n[k]; delete(n, k); return c }
	set := func(k llm.UsageKind, c int64) {
		if c < 0 {
			t.Fatalf("%s: %v is %d", v.ID, k, c)
		}
		if c > 0 {
			u.Set(k, c)
		}
	}
	_, hasIn := n["input"]
	_, hasOut := n["output"]
	in, out := get("input"), get("output")
	readAudio, readImage := get("cache_read_audio"), get("cache_read_image")
	read := get("cache_read")
	set(llm.CacheReadAudio, readAudio)
	set(llm.CacheReadImage, readImage)
	set(llm.CacheRead, read-readAudio-readImage)
	w1, w12, write := get("cache_write_1h"), get("cache_write_12h"), get("cache_write")
	set(llm.CacheWrite1h, w1)
	set(llm.CacheWrite12h, w12)
	set(llm.CacheWrite, write-w1-w12)
	audio, image, video := get("input_audio"), get("input_image"), get("input_video")
	set(llm.AudioInput, audio-readAudio)
	set(llm.ImageInput, image-readImage)
	set(llm.VideoInput, video)
	if hasIn {
		u.Set(llm.UncachedInput, in-read-write-(audio-readAudio)-(image-readImage)-video)
	}
	reasoning, outAudio, outImage, outVideo := get("reasoning"), get("output_audio"), get("output_image"), get("output_video")
	set(llm.Reasoning, reasoning)
	set(llm.AudioOutput, outAudio)
	set(llm.ImageOutput, outImage)
	set(llm.VideoOutput, outVideo)
	if hasOut {
		u.Set(llm.OutputText, out-reasoning-outAudio-outImage-outVideo)
	}
	set(llm.AudioInMillis, get("audio_seconds")*1000)
	set(llm.Pages, get("pages"))
	set(llm.SearchUnits, get("search_units"))
	set(llm.WebSearches, get("web_searches")+get("web_search"))
	set(llm.Images, get("images"))
	set(llm.Characters, get("input_chars"))
	if len(n) > 0 {
		t.Fatalf("%s: unknown counts %v", v.ID, n)
	}
	u.Source = llm.UsageReported
	u.Region = v.Region
	switch v.Tier {
	case "fast":
		u.Speed = "fast"
	case "batch":
		u.Batch = true
	default:
		u.Tier = v.Tier
	}
	return u
}

func defaultTable(t testing.TB, opts ...pricing.Option) *pricing.Table {
	t.Helper()
	tab, err := pricing.Default(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestCostVectors(t *testing.T) {
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(shared(t, "cost-vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 82 {
		t.Fatalf("%d vectors", len(file.Vectors))
	}
	tab := defaultTable(t)
	for _, v := range file.Vectors {
		t.Run(v.ID+" "+v.Provider+" "+v.Model, func(t *testing.T) {
			call := &llm.Call{Kind: llm.KindLLM, Provider: v.Provider, ResponseModel: v.Model, Start: v.At, Usage: v.kinds(t)}
			if v.Response != nil && v.Response.Usage.Ticks != nil {
				call.Cost = llm.Cost{Total: llm.PicoUSD(*v.Response.Usage.Ticks * 100), Source: llm.CostProvider}
			}
			tab.Price(call)
			got := "unset"
			if call.Cost.Known() {
				got = call.Cost.Total.String()
			}
			want := "unset"
			if v.ExpectUSD != nil {
				want = *v.ExpectUSD
			}
			if got != want {
				t.Errorf("%s: cost %s (%s), want %s; %v", v.ID, got, call.Cost.Status, want, v.Tags)
			}
			if c := call.Cost; c.Source == llm.CostTable && c.Input+c.Output+c.CacheRead+c.CacheWrite+c.Tools != c.Total {
				t.Errorf("parts %+v do not sum up", c)
			}
			if call.Cost.Known() && call.Cost.Status != llm.CostOK {
				t.Errorf("status %s", call.Cost.Status)
			}
			if v.Provider == "xai" && v.Response != nil && v.Response.Usage.Ticks != nil && !call.Cost.HasTable {
				t.Error("the table's own figure is missing beside the provider's")
			}
			if strings.Contains(strings.Join(v.Tags, " "), "unpriced") && call.Cost.Status != llm.CostTierUnpriced {
				t.Errorf("status %s", call.Cost.Status)
			}
		})
	}
}
