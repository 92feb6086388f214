package providerstest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/spanwire/spanwire/llm"
)

// digests renders the joined text of each choice as the recordings do.
func digests(c *llm.Call, kind string) (out []string) {
	for i, m := range c.Output {
		all := ""
		for _, p := range m.Parts {
			if p.Type == kind {
				all += p.Content
			}
		}
		if all != "" {
			sum := sha256.Sum256([]byte(all))
			out = append(out, fmt.Sprintf("%d %d %s", i, utf8.RuneCountInString(all), hex.EncodeToString(sum[:])))
		}
	}
	return out
}

func wantDigests(ts []ChoiceText) (out []string) {
	for _, w := range ts {
		out = append(out, fmt.Sprintf("%v %d %s", w.Choice, w.Chars, w.SHA256))
	}
	return out
}
