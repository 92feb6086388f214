package pricing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// document is a table as it is written: what is not changed is written again as it
// was, a model a line, so that a change of one row is a change of one line.
type document struct {
	head      []member // but for the providers
	providers []documentProvider
}

type documentProvider struct {
	id   string
	head []member // but for the models
	rows []documentRow
}

type documentRow struct {
	id  string
	raw json.RawMessage
}

// parseDocument reads a table that compile has checked.
func parseDocument(table []byte) (*document, error) {
	head, err := members(table)
	if err != nil {
		return nil, err
	}
	d := &document{}
	for _, m := range head {
		if m.key != "providers" {
			d.head = append(d.head, m)
			continue
		}
		es, err := elements(m.value)
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			p, err := parseDocumentProvider(e)
			if err != nil {
				return nil, err
			}
			d.providers = append(d.providers, p)
		}
	}
	return d, nil
}

func parseDocumentProvider(raw json.RawMessage) (p documentProvider, err error) {
	ms, err := members(raw)
	if err != nil {
		return p, err
	}
	for _, m := range ms {
		if m.key != "models" {
			if m.key == "id" {
				err = json.Unmarshal(m.value, &p.id)
			}
			p.head = append(p.head, m)
			continue
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(m.value, &rows); err != nil {
			return p, err
		}
		for _, r := range rows {
			var of struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(r, &of); err != nil {
				return p, err
			}
			p.rows = append(p.rows, documentRow{strings.ToLower(of.ID), r})
		}
	}
	return p, err
}

func (d *document) at(provider string) *documentProvider {
	i := slices.IndexFunc(d.providers, func(p documentProvider) bool { return p.id == provider })
	return &d.providers[i]
}

func (d *document) row(provider, id string) (json.RawMessage, error) {
	p := d.at(provider)
	i := slices.IndexFunc(p.rows, func(r documentRow) bool { return r.id == id })
	if i < 0 {
		return nil, fmt.Errorf("there is no row %s", id)
	}
	return p.rows[i].raw, nil
}

func (d *document) set(provider, id string, raw json.RawMessage) {
	p := d.at(provider)
	i := slices.IndexFunc(p.rows, func(r documentRow) bool { return r.id == id })
	p.rows[i].raw = raw
}

// add puts a row where its id belongs among the others.
func (d *document) add(provider, id string, raw json.RawMessage) {
	p := d.at(provider)
	i, _ := slices.BinarySearchFunc(p.rows, id, func(r documentRow, id string) int { return strings.Compare(r.id, id) })
	p.rows = slices.Insert(p.rows, i, documentRow{id, raw})
}

// date puts the date of an import, and its source, into the head.
func (d *document) date(opts ImportOptions) error {
	d.head = setMember(d.head, "as_of", quote(opts.AsOf))
	i := slices.IndexFunc(d.head, func(m member) bool { return m.key == "sources" })
	sources, err := members(d.head[i].value)
	if err != nil {
		return err
	}
	sources = setMember(sources, opts.tag(), encode([]member{{"what", quote(opts.What)}, {"date", quote(opts.AsOf)}}))
	d.head[i].value = encode(sources)
	return nil
}

func (d *document) bytes() []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	for _, m := range d.head {
		fmt.Fprintf(&b, " %s: %s,\n", quote(m.key), m.value)
	}
	b.WriteString(" \"providers\": [\n")
	for i, p := range d.providers {
		head := encode(p.head)
		fmt.Fprintf(&b, "  %s,\n   \"models\":[\n", head[:len(head)-1])
		for j, r := range p.rows {
			b.WriteString("    ")
			b.Write(r.raw)
			b.WriteString(map[bool]string{true: ",\n", false: "\n"}[j+1 < len(p.rows)])
		}
		b.WriteString("   ]}")
		b.WriteString(map[bool]string{true: ",\n", false: "\n"}[i+1 < len(d.providers)])
	}
	b.WriteString(" ]\n}\n")
	return b.Bytes()
}
