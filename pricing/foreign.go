package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spanwire/spanwire/llm"
)

// Formats are the price lists of other projects that Import reads.
var Formats = []string{"genai-prices", "litellm", "models.dev"}

// foreignRow is a row of another project's list in our words: rates by our names,
// in decimal text of USD per 1,000,000 tokens.
type foreignRow struct {
	provider string // theirs
	id       string
	rates    map[string]string
	long     map[int64]map[string]string // by the first count billed so
	problem  string                      // why the row cannot be taken
}

func newForeignRow(provider, id string) foreignRow {
	return foreignRow{provider: provider, id: id, rates: map[string]string{}, long: map[int64]map[string]string{}}
}

// refuse notes why a row cannot be taken; the first reason stays.
func (r *foreignRow) refuse(format string, args ...any) {
	if r.problem == "" {
		r.problem = fmt.Sprintf(format, args...)
	}
}

// set takes up a number that is a price for 10^-shift million tokens; with min for
// prompts of so many tokens and more.
func (r *foreignRow) set(name string, raw json.RawMessage, shift int, min int64) {
	if string(raw) == "null" {
		return
	}
	d, err := parseDecimal(string(raw))
	if err != nil {
		r.refuse("%s: %v", name, err)
		return
	}
	if d.n != 0 {
		d.exp += shift
	}
	text := d.String()
	if _, err := parseRate(text, llm.USD); err != nil {
		r.refuse("%s: %v", name, err)
		return
	}
	to := r.rates
	if min > 0 {
		if r.long[min] == nil {
			r.long[min] = map[string]string{}
		}
		to = r.long[min]
	}
	to[name] = text
}

// readForeign reads a whole list. Rows that cannot be taken say why.
func readForeign(format string, data []byte) ([]foreignRow, error) {
	if len(data) > maxTable {
		return nil, fmt.Errorf("a list of %d bytes is above the bound of %d", len(data), maxTable)
	}
	var rows []foreignRow
	var err error
	switch format {
	case "genai-prices":
		rows, err = readGenaiPrices(data)
	case "litellm":
		rows, err = readLiteLLM(data)
	case "models.dev":
		rows, err = readModelsDev(data)
	default:
		return nil, fmt.Errorf("format %q is none of %s", format, strings.Join(Formats, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", format, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("read %s: there are no models in it", format)
	}
	return rows, nil
}

// litellmRates are LiteLLM's names of rates, in USD per token.
var litellmRates = map[string]string{
	"input_cost_per_token": "input", "output_cost_per_token": "output",
	"cache_read_input_token_cost": "cache_read", "cache_creation_input_token_cost": "cache_write",
	"cache_creation_input_token_cost_above_1hr": "cache_write_1h",
	"input_cost_per_audio_token":                "input_audio", "output_cost_per_audio_token": "output_audio",
	"input_cost_per_image_token": "input_image", "output_cost_per_image_token": "output_image",
	"output_cost_per_reasoning_token": "reasoning",
}

// readLiteLLM reads model_prices_and_context_window.json: an object by model, the
// provider in each. "_above_200k_tokens" is for more than 200,000.
func readLiteLLM(data []byte) ([]foreignRow, error) {
	var models map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &models); err != nil {
		return nil, err
	}
	var rows []foreignRow
	for _, id := range slices.Sorted(maps.Keys(models)) {
		var provider string
		m := models[id]
		if id == "sample_spec" || json.Unmarshal(m["litellm_provider"], &provider) != nil {
			continue
		}
		row := newForeignRow(provider, id)
		for _, field := range slices.Sorted(maps.Keys(m)) {
			name, min := field, int64(0)
			if base, above, ok := strings.Cut(field, "_above_"); ok && strings.HasSuffix(above, "k_tokens") {
				n, err := strconv.ParseInt(strings.TrimSuffix(above, "k_tokens"), 10, 32)
				if err != nil {
					continue
				}
				name, min = base, n*1000+1
			}
			if ours, ok := litellmRates[name]; ok {
				row.set(ours, m[field], 6, min)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// modelsDevCost are the names of models.dev, in USD per 1,000,000 tokens.
var modelsDevCost = map[string]string{
	"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write",
	"reasoning": "reasoning", "input_audio": "input_audio", "output_audio": "output_audio",
}

// readModelsDev reads api.json: an object by provider with an object by model.
func readModelsDev(data []byte) ([]foreignRow, error) {
	var providers map[string]struct {
		Models map[string]struct {
			Cost map[string]json.RawMessage `json:"cost"`
		} `json:"models"`
	}
	if err := json.Unmarshal(data, &providers); err != nil {
		return nil, err
	}
	var rows []foreignRow
	for _, p := range slices.Sorted(maps.Keys(providers)) {
		models := providers[p].Models
		for _, id := range slices.Sorted(maps.Keys(models)) {
			row := newForeignRow(p, id)
			row.modelsDev(models[id].Cost)
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (r *foreignRow) modelsDev(cost map[string]json.RawMessage) {
	for name, ours := range modelsDevCost {
		if raw, ok := cost[name]; ok {
			r.set(ours, raw, 0, 0)
		}
	}
	over := func(raw json.RawMessage, min int64) {
		var rates map[string]json.RawMessage
		if err := json.Unmarshal(raw, &rates); err != nil {
			r.refuse("prices of long prompts: %v", err)
		}
		for name, ours := range modelsDevCost {
			if raw, ok := rates[name]; ok {
				r.set(ours, raw, 0, min)
			}
		}
	}
	if raw, ok := cost["tiers"]; ok {
		var tiers []json.RawMessage
		if err := json.Unmarshal(raw, &tiers); err != nil {
			r.refuse("tiers: %v", err)
		}
		for _, raw := range tiers {
			var t struct {
				Tier struct {
					Type string `json:"type"`
					Size int64  `json:"size"`
				} `json:"tier"`
			}
			if err := json.Unmarshal(raw, &t); err != nil || t.Tier.Type != "context" || t.Tier.Size < 1 || t.Tier.Size > 1<<40 {
				r.refuse("a tier that is not by the length of the prompt")
				continue
			}
			over(raw, t.Tier.Size+1)
		}
	} else if raw, ok := cost["context_over_200k"]; ok {
		over(raw, 200_001)
	}
}

// genaiRates are the names of genai-prices, in USD per 1,000,000 tokens.
var genaiRates = map[string]string{
	"input_mtok": "input", "output_mtok": "output", "cache_read_mtok": "cache_read", "cache_write_mtok": "cache_write",
	"cache_write_1h_mtok": "cache_write_1h", "input_audio_mtok": "input_audio", "output_audio_mtok": "output_audio",
	"cache_audio_read_mtok": "cache_read_audio", "output_reasoning_mtok": "reasoning",
	"input_image_mtok": "input_image", "output_image_mtok": "output_image",
}

// readGenaiPrices reads data.json: a list of providers, each with a list of models.
func readGenaiPrices(data []byte) ([]foreignRow, error) {
	var providers []struct {
		ID     string `json:"id"`
		Models []struct {
			ID     string          `json:"id"`
			Prices json.RawMessage `json:"prices"`
		} `json:"models"`
	}
	if err := json.Unmarshal(data, &providers); err != nil {
		return nil, err
	}
	var rows []foreignRow
	for _, p := range providers {
		for _, m := range p.Models {
			row := newForeignRow(p.ID, m.ID)
			if err := row.genai(m.Prices); err != nil {
				row.refuse("%v", err)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// genai takes up an object of prices, or a list of them under conditions: of that
// only the dates are understood, and the last price is taken.
func (r *foreignRow) genai(raw json.RawMessage) error {
	if len(raw) == 0 {
		return errors.New("no prices")
	}
	if raw[0] == '[' {
		var list []struct {
			Constraint map[string]json.RawMessage `json:"constraint"`
			Prices     json.RawMessage            `json:"prices"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for _, e := range list {
			if _, dated := e.Constraint["start_date"]; len(e.Constraint) > 0 && !dated {
				return errors.New("prices by the hour: take them over by hand")
			}
			raw = e.Prices
		}
	}
	var prices map[string]json.RawMessage
	if err := json.Unmarshal(raw, &prices); err != nil {
		return err
	}
	for theirs, ours := range genaiRates {
		raw, ok := prices[theirs]
		if !ok {
			continue
		}
		if len(raw) > 0 && raw[0] != '{' {
			r.set(ours, raw, 0, 0)
			continue
		}
		var steps struct {
			Base  json.RawMessage `json:"base"`
			Tiers []struct {
				Start int64           `json:"start"`
				Price json.RawMessage `json:"price"`
			} `json:"tiers"`
		}
		if err := json.Unmarshal(raw, &steps); err != nil {
			return err
		}
		r.set(ours, steps.Base, 0, 0)
		for _, t := range steps.Tiers {
			if t.Start < 1 || t.Start > 1<<40 {
				return fmt.Errorf("%s: a tier from %d tokens", theirs, t.Start)
			}
			r.set(ours, t.Price, 0, t.Start+1)
		}
	}
	return nil
}
