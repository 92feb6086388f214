package pricing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// Import is a table with the prices of another project's list laid over it.
type Import struct {
	Table   []byte   // checked; the same bytes as before where nothing changed
	Changes []Change // everything that is different in it
	// Skipped are rows of the list that were left out, each with its reason, and
	// Same is how many say what the table says.
	Skipped []string
	Same    int
}

// ImportOptions narrow an import.
type ImportOptions struct {
	Format    string   // one of Formats
	Providers []string // our names; none takes all that the table has
	AsOf      string   // date of the list, which becomes that of the table
	What      string   // where the list is from, for the sources of the table
}

// foreignProviders are the names of others for providers of the table.
var foreignProviders = map[string]string{
	"aws": "aws-bedrock", "amazon-bedrock": "aws-bedrock", "bedrock_converse": "aws-bedrock", "bedrock": "aws-bedrock",
	"vertex_ai-language-models": "google-vertex", "vertex_ai-anthropic_models": "google-vertex", "google-vertex-anthropic": "google-vertex",
	"vertex_ai": "google-vertex", "togetherai": "together", "fireworks-ai": "fireworks", "x-ai": "xai", "cohere_chat": "cohere",
	"azure_text": "azure", "zhipuai": "zhipu", "zai": "zai", "alibaba": "dashscope", "novita": "", "text-completion-openai": "openai",
}

// ImportFrom lays the prices of another project's list over a table. Rates that the
// list does not have stay, and so do rows; a row whose price has dates or hours, or
// other steps for long prompts, is not touched and is named among the skipped. The
// result is checked as a whole: nothing is taken that the table's own rules refuse.
func ImportFrom(list, table []byte, opts ImportOptions) (*Import, error) {
	rows, err := readForeign(opts.Format, list)
	if err != nil {
		return nil, err
	}
	if _, err := time.Parse(time.DateOnly, opts.AsOf); err != nil {
		return nil, fmt.Errorf("%q is not a date", opts.AsOf)
	}
	c, err := compile(table)
	if err != nil {
		return nil, fmt.Errorf("read price table: %w", err)
	}
	doc, err := parseDocument(table)
	if err != nil {
		return nil, err
	}
	c.sources[opts.tag()] = opts.What + ", " + opts.AsOf // it is added to the table with the first change
	m := merge{c: c, doc: doc, opts: opts, taken: map[place]bool{}}
	for _, name := range opts.Providers {
		if c.names[strings.ToLower(name)] == nil {
			return nil, fmt.Errorf("the table has no provider %q", name)
		}
	}
	for i := range rows {
		m.take(&rows[i])
	}
	out := &Import{Table: table, Skipped: m.skipped(), Same: m.same}
	if !m.changed {
		return out, nil
	}
	if err := doc.date(opts); err != nil {
		return nil, err
	}
	out.Table = doc.bytes()
	if out.Changes, err = Diff(table, out.Table); err != nil {
		return nil, err
	}
	return out, nil
}

// merge is an import under way.
type merge struct {
	c       *compiled
	doc     *document
	opts    ImportOptions
	taken   map[place]bool
	left    []string
	unknown map[string]int // rows by their provider, which the table does not have
	same    int
	changed bool
}

func (m *merge) skip(r *foreignRow, why string) {
	m.left = append(m.left, r.provider+"/"+r.id+": "+why)
}

// skipped lists what was left out; providers that the table does not have are
// summed up.
func (m *merge) skipped() []string {
	out := m.left
	for _, p := range slices.Sorted(maps.Keys(m.unknown)) {
		out = append(out, fmt.Sprintf("%s: %d models of a provider that the table does not have", p, m.unknown[p]))
	}
	return out
}

func (m *merge) take(r *foreignRow) {
	p := m.provider(r.provider)
	switch {
	case p == nil:
		if m.unknown == nil {
			m.unknown = map[string]int{}
		}
		m.unknown[r.provider]++
		return
	case !m.wanted(p):
		return
	case r.problem != "":
		m.skip(r, r.problem)
		return
	case len(r.rates) == 0:
		m.skip(r, "no price for tokens")
		return
	}
	id := strings.TrimPrefix(strings.ToLower(r.id), strings.ToLower(r.provider)+"/")
	row, _ := p.lookup(id)
	if row != nil && row.currency == llm.USD && r.agrees(row) {
		m.same++
		return
	}
	if exact := p.models[id]; exact == nil { // a date or version of a row that costs otherwise, or a new model
		m.add(p, r, id)
		return
	}
	m.change(p, row, r)
}

func (m *merge) provider(name string) *provider {
	name = strings.ToLower(name)
	if ours, ok := foreignProviders[name]; ok {
		name = ours
	}
	return m.c.names[name]
}

func (m *merge) wanted(p *provider) bool {
	return len(m.opts.Providers) == 0 || slices.ContainsFunc(m.opts.Providers, func(n string) bool { return m.c.names[strings.ToLower(n)] == p })
}

// agrees says whether a row says all that the list says of it.
func (r *foreignRow) agrees(row *model) bool {
	if len(row.periods) == 0 {
		return false
	}
	p := &row.periods[len(row.periods)-1]
	if !same(r.rates, &p.base, nil) {
		return false
	}
	for min, rates := range r.long {
		i := slices.IndexFunc(p.long, func(l long) bool { return l.min == min })
		if i < 0 || !same(rates, &p.long[i].rates, &p.base) {
			return false
		}
	}
	return true
}

// same compares rates with those of a row; what the row does not list there, but
// below, counts as listed.
func same(rates map[string]string, s, below *rateSet) bool {
	for name, text := range rates {
		v, err := parseRate(text, llm.USD)
		r := rateNames[name]
		switch {
		case err != nil:
			return false
		case s.lists(r):
			if s.v[r] != v {
				return false
			}
		case below == nil || !below.lists(r) || below.v[r] != v:
			return false
		}
	}
	return true
}

func (m *merge) add(p *provider, r *foreignRow, id string) {
	at := place{p.id, id}
	switch {
	case m.taken[at]:
		m.skip(r, "the list has it twice")
		return
	case p.currency != llm.USD:
		m.skip(r, "the list is in USD, and the table has the provider's prices in "+p.currency.String())
		return
	}
	m.taken[at] = true
	price := []member{}
	for _, name := range slices.Sorted(maps.Keys(r.rates)) {
		price = setMember(price, name, json.RawMessage(r.rates[name]))
	}
	if len(r.long) > 0 {
		price = append(price, member{"long", r.steps()})
	}
	row := []member{{"id", quote(id)}, {"price", encode(price)}, {"src", encodeList(quote(m.tag()))}}
	if _, _, err := m.c.newModel(encode(row), llm.CostTable, llm.USD); err != nil {
		m.skip(r, err.Error())
		return
	}
	m.doc.add(p.id, id, encode(row))
	m.changed = true
}

func (m *merge) change(p *provider, row *model, r *foreignRow) {
	at := place{p.id, row.id}
	switch {
	case m.taken[at]:
		m.skip(r, "another row of the list has changed "+row.id)
		return
	case row.currency != llm.USD:
		m.skip(r, "the list is in USD, and the row is in "+row.currency.String())
		return
	case len(row.periods) != 1 || !row.periods[0].from.IsZero() || len(row.periods[0].windows) > 0:
		m.skip(r, "differs, and the row's price has dates or hours: change it by hand")
		return
	case !sameSteps(row.periods[0].long, r.long):
		m.skip(r, "differs, and the row has other steps for long prompts: change it by hand")
		return
	}
	raw, err := m.doc.row(p.id, row.id)
	if err == nil {
		raw, err = r.into(raw, m.tag())
	}
	if err == nil {
		_, _, err = m.c.newModel(raw, llm.CostTable, llm.USD)
	}
	if err != nil {
		m.skip(r, err.Error())
		return
	}
	m.taken[at] = true
	m.doc.set(p.id, row.id, raw)
	m.changed = true
}

// sameSteps says whether the list's steps for long prompts can be put into a row's:
// there are none in one of them, or they begin at the same counts.
func sameSteps(ours []long, theirs map[int64]map[string]string) bool {
	if len(ours) == 0 || len(theirs) == 0 {
		return true
	}
	return len(ours) == len(theirs) && !slices.ContainsFunc(ours, func(l long) bool { return theirs[l.min] == nil })
}

// into puts the list's rates into a row as it is written.
func (r *foreignRow) into(raw json.RawMessage, tag string) (json.RawMessage, error) {
	row, err := members(raw)
	if err != nil {
		return nil, err
	}
	for i := range row {
		switch row[i].key {
		case "price":
			if row[i].value, err = r.price(row[i].value); err != nil {
				return nil, err
			}
		case "src":
			var src []string
			if err := json.Unmarshal(row[i].value, &src); err != nil {
				return nil, err
			}
			if !slices.Contains(src, tag) {
				src = append(src, tag)
			}
			var list []json.RawMessage
			for _, s := range src {
				list = append(list, quote(s))
			}
			row[i].value = encodeList(list...)
		}
	}
	return encode(row), nil
}

func (r *foreignRow) price(raw json.RawMessage) (json.RawMessage, error) {
	es, err := elements(raw)
	if err != nil || len(es) != 1 {
		return nil, errors.Join(err, errors.New("more than one price"))
	}
	price, err := members(es[0])
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(r.rates)) {
		price = setMember(price, name, json.RawMessage(r.rates[name]))
	}
	if len(r.long) > 0 {
		price = setMember(price, "long", r.steps())
	}
	return encode(price), nil
}

// steps writes the prices of long prompts.
func (r *foreignRow) steps() json.RawMessage {
	var list []json.RawMessage
	for _, min := range slices.Sorted(maps.Keys(r.long)) {
		step := []member{{"min", json.RawMessage(strconv.FormatInt(min, 10))}}
		for _, name := range slices.Sorted(maps.Keys(r.long[min])) {
			step = append(step, member{name, json.RawMessage(r.long[min][name])})
		}
		list = append(list, encode(step))
	}
	return encodeList(list...)
}

// tag is the name of the import among the sources of the table.
func (m *merge) tag() string { return m.opts.tag() }

func (o *ImportOptions) tag() string {
	return strings.ReplaceAll(o.Format, ".", "") + "-" + strings.ReplaceAll(o.AsOf, "-", "")
}

// setMember replaces the value of a key, or appends it. An equal number is left as
// it is written.
func setMember(ms []member, key string, value json.RawMessage) []member {
	for i := range ms {
		if ms[i].key == key {
			if scalar(ms[i].value) != scalar(value) {
				ms[i].value = value
			}
			return ms
		}
	}
	return append(ms, member{key, value})
}

func encode(ms []member) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func encodeList(es ...json.RawMessage) json.RawMessage {
	return append(append(json.RawMessage{'['}, bytes.Join(rawBytes(es), []byte{','})...), ']')
}

func rawBytes(es []json.RawMessage) [][]byte {
	out := make([][]byte, len(es))
	for i := range es {
		out[i] = es[i]
	}
	return out
}

func quote(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("BUG: a string that is no JSON: %q", s))
	}
	return b
}
