package tokenizer

// image returns what an image costs a model, by the vendor's published rules:
// tiles of 512 pixels after scaling into 2048 × 2048 and to a shorter side of 768,
// or patches of 32 pixels, 1,536 of them at most. known is false when the size is
// not known, or the model's rule: the number then is a lower bound. Of tiles an image
// that is to be looked at in low detail has none, whatever its size.
func (m *model) image(width, height int, detail string) (n int64, known bool) {
	row := m.imageRow()
	if row == nil {
		return lowDetail, false
	}
	if detail == "low" && row.PatchPercent == 0 {
		return row.Base, true
	}
	if width <= 0 || height <= 0 {
		return max(row.Base, 1), false
	}
	if row.PatchPercent > 0 {
		return percent(patches(width, height), row.PatchPercent), true
	}
	return row.Base + row.Tile*tiles(width, height), true
}

// lowDetail is the smallest price of an image among the models with a known rule.
const lowDetail = 70

func (m *model) imageRow() *imageRow {
	if !m.public {
		return nil
	}
	for i := range rules.Images {
		if hasPrefix(m.name, rules.Images[i].Prefixes) {
			return &rules.Images[i]
		}
	}
	return nil
}

const maxPatches = 1536

func patches(w, h int) int64 {
	w, h = clampSide(w), clampSide(h)
	n := int64(ceilDiv(w, 32)) * int64(ceilDiv(h, 32))
	return min(n, maxPatches)
}

func tiles(w, h int) int64 {
	w, h = clampSide(w), clampSide(h)
	if long := max(w, h); long > 2048 {
		w, h = max(w*2048/long, 1), max(h*2048/long, 1)
	}
	if short := min(w, h); short > 768 {
		w, h = w*768/short, h*768/short
	}
	return int64(ceilDiv(w, 512)) * int64(ceilDiv(h, 512))
}

// clampSide keeps what a made-up size can do within bounds.
func clampSide(n int) int { return min(n, 1<<20) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// percent returns n × p ÷ 100, rounded half up.
func percent(n, p int64) int64 { return n/100*p + (n%100*p+50)/100 }
