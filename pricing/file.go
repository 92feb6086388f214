package pricing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Schema is the format of a price table that this package reads.
const Schema = "spanwire.prices/1"

// maxTable bounds the size of a table that is read.
const maxTable = 64 << 20

// The shapes of the file. What units and rules say in words is for people.
type (
	tableFile struct {
		Schema    string                     `json:"schema"`
		AsOf      string                     `json:"as_of"`
		Currency  string                     `json:"currency"`
		Units     map[string]string          `json:"units"`
		Rules     map[string]string          `json:"rules"`
		Sources   map[string]sourceFile      `json:"sources"`
		Holidays  map[string]json.RawMessage `json:"holidays"`
		Providers []json.RawMessage          `json:"providers"`
	}
	sourceFile struct {
		What    string `json:"what"`
		Date    string `json:"date"`
		License string `json:"license"`
	}
	// calendarFile has the dates of the years From to To that are not working days.
	calendarFile struct {
		What  string   `json:"what"`
		Years []int    `json:"years"`
		Dates []string `json:"dates"`
		// Unchecked: nobody has compared the dates with their source. A price that one
		// of them decides is then an estimate.
		Unchecked bool `json:"unchecked"`
	}
	providerFile struct {
		ID           string                     `json:"id"`
		Name         string                     `json:"name"`
		Match        []string                   `json:"match"`
		Hosts        []string                   `json:"hosts"`
		Prefixes     []string                   `json:"prefixes"`
		Strip        []string                   `json:"strip"`
		FineTune     string                     `json:"fine_tune"`
		FreeSuffix   string                     `json:"free_suffix"`
		ServiceTiers map[string]json.RawMessage `json:"service_tiers"`
		Regions      []json.RawMessage          `json:"regions"`
		Tools        map[string]json.RawMessage `json:"tools"`
		Currency     string                     `json:"currency"` // of its models and tools; "": that of the file
		Notes        string                     `json:"notes"`
		Provenance   map[string]int             `json:"provenance"`
		Models       []json.RawMessage          `json:"models"`
	}
	regionFile struct {
		Host        []string        `json:"host"`
		UsageField  string          `json:"usage_field"`
		Values      []string        `json:"values"`
		LocationNot []string        `json:"location_not"`
		Multiply    json.RawMessage `json:"multiply"`
		Models      string          `json:"models"`
		From        string          `json:"from"`
		Evidence    string          `json:"evidence"`
	}
	modelFile struct {
		ID       string                     `json:"id"`
		Aliases  []string                   `json:"aliases"`
		Price    json.RawMessage            `json:"price"`
		Currency string                     `json:"currency"` // "": that of the provider
		Tiers    map[string]json.RawMessage `json:"tiers"`
		Tools    map[string]json.RawMessage `json:"tools"`
		PerImage map[string]json.RawMessage `json:"per_image"`
		Src      []string                   `json:"src"`
		Retired  string                     `json:"retired"`
		Evidence string                     `json:"evidence"`
		Note     string                     `json:"note"`
	}
	windowFile struct {
		UTC      []string `json:"windows_utc"`
		Days     []int    `json:"days"`
		Holidays string   `json:"holidays"`
	}
)

// decodeStrict decodes one JSON value and nothing after it. A key that the format
// does not know is an error: a misspelt rate would silently be no rate.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// member is one key of an object with its value as written.
type member struct {
	key   string
	value json.RawMessage
}

// members lists an object's keys in their order; a key that is there twice is an error.
func members(raw json.RawMessage) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var ms []member
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: t.(string)}
		if seen[m.key] {
			return nil, fmt.Errorf("%q is there twice", m.key)
		}
		seen[m.key] = true
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", m.key, err)
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// elements lists the objects of raw, which is one object or an array of them.
func elements(raw json.RawMessage) ([]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, errors.New("missing")
	}
	if raw[0] == '{' {
		return []json.RawMessage{raw}, nil
	}
	var es []json.RawMessage
	if err := json.Unmarshal(raw, &es); err != nil {
		return nil, err
	}
	return es, nil
}
