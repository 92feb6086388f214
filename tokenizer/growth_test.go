package tokenizer

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var growthFile = flag.String("growth", "", "file that TestGrowth writes its tables to, over all units and sizes")

// units that texts are repeated from: those that merge the most, and those for
// which the splitters look the furthest.
var units = []string{"a", "ab", "aA", "=", "0", " ", " \n", "\n", "é", "漢", "🙂", "ا", "a\u0301", "the ", "x=1;", "'s", "\t\r\n"}

// perByte is the shortest of some runs, in nanoseconds a byte: what else the
// machine does only ever adds.
func perByte(text string, runs int, count func(string)) float64 {
	best := time.Duration(1 << 62)
	for range runs {
		start := time.Now()
		count(text)
		best = min(best, time.Since(start))
	}
	return float64(best.Nanoseconds()) / float64(len(text))
}

func repeated(unit string, size int) string { return strings.Repeat(unit, max(size/len(unit), 1)) }

// TestGrowth makes sure that the time for a byte does not grow with the text, whatever
// it repeats. `make growth` writes the tables to docs/growth.md, beside the library.
func TestGrowth(t *testing.T) {
	for _, name := range []string{o200k, cl100k} {
		e := encodings[name]
		e.count("")
		for _, unit := range units {
			small := perByte(repeated(unit, 4<<10), 25, func(s string) { e.count(s) })
			large := perByte(repeated(unit, 128<<10), 5, func(s string) { e.count(s) })
			// The square would make it 32 times; caches and the depth of the heap make two or three.
			grows := func() bool { return large > 10*small && large > 1000 }
			for tries := 0; grows() && tries < 20; tries++ { // a busy machine may have slowed all of the runs
				large = min(large, perByte(repeated(unit, 128<<10), 1, func(s string) { e.count(s) }))
			}
			if grows() {
				t.Errorf("%s, %q: %.0f ns a byte of 4 KB, %.0f of 128 KB", name, unit, small, large)
			}
		}
	}
	if *growthFile == "" {
		return
	}
	var b strings.Builder
	b.WriteString(growthHead)
	writeTexts(&b)
	writeSweep(&b)
	if err := os.WriteFile(*growthFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const growthHead = `# How counting grows

Written by ` + "`make growth`" + `: the shortest of several runs, this engine and tiktoken-go in the
same process. Absolute numbers are those of the machine; ratios and growth hold.

`

// writeTexts compares both on ordinary text.
func writeTexts(b *strings.Builder) {
	b.WriteString("## Text, MB/s\n\n| text | o200k_base | cl100k_base | tiktoken-go, o200k_base | times |\n|---|---:|---:|---:|---:|\n")
	library := oracles()[o200k]
	for _, kind := range []string{"english", "code", "json", "chinese", "russian"} {
		text := samples[kind]
		mb := func(f func(string)) float64 { return 1000 / perByte(text, 15, f) }
		ours := mb(func(s string) { encodings[o200k].count(s) })
		other := mb(func(s string) { encodings[cl100k].count(s) })
		lib := 1000 / perByte(text[:runeEnd(text, 16<<10)], 5, func(s string) { library.EncodeOrdinary(s) })
		fmt.Fprintf(b, "| %s | %.0f | %.0f | %.1f | %.0f |\n", kind, ours, other, lib, ours/lib)
	}
	b.WriteString("\n")
}

// writeSweep shows the time a byte of every unit at every size.
func writeSweep(b *strings.Builder) {
	sizes := []int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}
	library := oracles()[o200k]
	for _, name := range []string{o200k, cl100k} {
		fmt.Fprintf(b, "## One unit repeated, %s, ns a byte\n\n| unit |", name)
		for _, n := range sizes {
			fmt.Fprintf(b, " %d KB |", n>>10)
		}
		if name == o200k {
			b.WriteString(" tiktoken-go 1 KB | 4 KB |")
		}
		b.WriteString("\n|---|" + strings.Repeat("---:|", len(sizes)))
		if name == o200k {
			b.WriteString("---:|---:|")
		}
		b.WriteString("\n")
		for _, unit := range units {
			fmt.Fprintf(b, "| `%s` |", strings.Trim(fmt.Sprintf("%+q", unit), `"`))
			for _, n := range sizes {
				fmt.Fprintf(b, " %.0f |", perByte(repeated(unit, n), 7, func(s string) { encodings[name].count(s) }))
			}
			if name == o200k {
				for _, n := range sizes[:2] {
					fmt.Fprintf(b, " %.0f |", perByte(repeated(unit, n), 3, func(s string) { library.EncodeOrdinary(s) }))
				}
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
}
