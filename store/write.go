package store

import (
	"bytes"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/spanwire/spanwire/llm"
)

// batch is what was done with calls.
type batch struct {
	stored, again int64 // new ones; ones that were there
	other         int64 // values counted as other
	bytes         int64 // of what was said, as it was written
}

// write puts calls into the files of the day: into both or, when it fails, into none
// that count. The caller then closes w, since its memory is ahead of its files.
func (w *writing) write(calls []*llm.Call, seal Sealer) (out batch, err error) {
	spoken := w.bodies != nil
	if spoken {
		if err := run(w.bodies, "BEGIN IMMEDIATE"); err != nil {
			return out, err
		}
		defer rollback(w.bodies)
	}
	if err := run(w.calls, "BEGIN IMMEDIATE"); err != nil {
		return out, err
	}
	defer rollback(w.calls)
	if err := w.refresh(); err != nil {
		return out, err
	}
	r := recording{w: w, seal: seal, sessions: map[any]*sessionRow{}}
	for _, c := range calls {
		if err := r.call(c); err != nil {
			return out, fmt.Errorf("store call %.64q: %w", c.ID, err)
		}
	}
	if err := errors.Join(r.writeFacts(), r.writePieces(), w.totals.write(), r.writeSessions()); err != nil {
		return out, err
	}
	// What was said is committed first. Should the calls then not be, w.trim removes it.
	if spoken {
		if err := run(w.bodies, "COMMIT"); err != nil {
			return out, err
		}
	}
	return r.batch, run(w.calls, "COMMIT")
}

// rollback ends a transaction that was not committed.
func rollback(c *sqlite.Conn) {
	if !c.AutocommitEnabled() {
		_ = run(c, "ROLLBACK") // closing the connection does the same
	}
}

// recording is one transaction.
type recording struct {
	w        *writing
	seal     Sealer
	batch    batch
	enc      bytes.Buffer
	sessions map[any]*sessionRow
}

// entries are the rows of the dictionary that a call names.
type entries struct {
	team, model, provider, operation, key, user, agent, err entry
	usageSource, costSource, costStatus, currency           entry
	tags                                                    []entry
}

func (r *recording) entries(c *llm.Call) (e entries, err error) {
	d := r.w.dict
	for _, x := range [...]struct {
		to          *entry
		kind, value string
	}{
		{&e.team, dictTeam, c.Attribution.Team}, {&e.model, dictModel, c.Model()}, {&e.provider, dictProvider, c.Provider},
		{&e.operation, dictOperation, operationOf(c)}, {&e.key, dictKey, c.Attribution.Key}, {&e.user, dictUser, c.Attribution.User},
		{&e.agent, dictAgent, c.Attribution.Agent}, {&e.err, dictError, c.ErrorType},
		{&e.usageSource, dictUsageSource, string(c.Usage.Source)}, {&e.costSource, dictCostSource, string(c.Cost.Source)},
		{&e.costStatus, dictCostStatus, string(c.Cost.Status)}, {&e.currency, dictCurrency, string(c.Cost.Currency)},
	} {
		if *x.to, err = d.id(x.kind, x.value); err != nil {
			return e, err
		}
	}
	for i, tag := range c.Attribution.Tags {
		if i == maxTags {
			break
		}
		t, err := d.id(dictTag, tag)
		if err != nil {
			return e, err
		}
		if !hasEntry(e.tags, t) {
			e.tags = append(e.tags, t)
		}
	}
	return e, nil
}

// maxTags is how many tags of a call can be asked for. All are in its facts.
const maxTags = 32

func hasEntry(es []entry, e entry) bool {
	for _, o := range es {
		if o.id == e.id {
			return true
		}
	}
	return false
}

// operationOf tells calls that were not understood from those without an operation.
func operationOf(c *llm.Call) string {
	if c.Kind == llm.KindHTTP && c.Operation == "" {
		return string(llm.KindHTTP)
	}
	return c.Operation
}

func (r *recording) call(c *llm.Call) error {
	e, err := r.entries(c)
	if err != nil {
		return err
	}
	n := r.w.next
	added, err := r.insert(n, c, &e)
	if err != nil {
		return err
	}
	if !added {
		r.batch.again++
		return r.repair(c)
	}
	if err := r.keepFacts(n, c); err != nil {
		return err
	}
	r.w.next++
	r.batch.stored++
	for _, t := range e.tags {
		if err := exec(r.w.calls, "INSERT INTO tagged (tag, start, n) VALUES (?, ?, ?)", t.id, nanos(c.Start), n); err != nil {
			return err
		}
	}
	if err := r.add(c, &e); err != nil {
		return err
	}
	r.session(c, &e)
	return r.say(n, c, false)
}

const insertCall = `INSERT OR IGNORE INTO call (n, id, start, dur, ttft, trace, span, parent, run, session,
 team, model, provider, operation, key, user, agent, status, failed, error, stream,
 input, output, cache_read, cache_write, reasoning, usage_source, cost, cost_source, cost_status, facts, currency)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// insert adds the row of a call; added is false when its id was there.
func (r *recording) insert(n int64, c *llm.Call, e *entries) (added bool, err error) {
	st, err := r.w.calls.Prepare(insertCall)
	if err != nil {
		return false, err
	}
	a := args{st: st}
	a.int(n)
	id := idOf(c.ID)
	if id == nil {
		id = ""
	}
	a.any(id)
	a.int(nanos(c.Start))
	a.int(max(int64(span(c.Start, c.End)), 0))
	a.maybe(max(int64(span(c.Start, c.FirstToken)), 0), !c.FirstToken.IsZero())
	a.blob(c.Place.Trace[:])
	a.blob(c.Place.Span[:])
	if c.Place.Parent == [8]byte{} {
		a.null()
	} else {
		a.blob(c.Place.Parent[:])
	}
	var run any
	if c.Run != nil {
		run = idOf(c.Run.ID)
	}
	a.any(run)
	a.any(sessionOf(c))
	for _, x := range [...]entry{e.team, e.model, e.provider, e.operation, e.key, e.user, e.agent} {
		a.int(x.id)
	}
	a.int(int64(c.Status))
	a.int(flag(failed(c)))
	a.int(e.err.id)
	a.int(flag(c.Stream))
	for _, get := range [...]func() (int64, bool){c.Usage.Input, c.Usage.Output, c.Usage.CacheReads, c.Usage.CacheWrites, func() (int64, bool) { return c.Usage.Get(llm.Reasoning) }} {
		a.maybe(get())
	}
	a.int(e.usageSource.id)
	a.maybe(int64(c.Cost.Total), c.Cost.Known())
	a.int(e.costSource.id)
	a.int(e.costStatus.id)
	a.blob([]byte{}) // they are in a block
	a.int(e.currency.id)
	if _, err := st.Step(); err != nil {
		return false, err
	}
	added = r.w.calls.Changes() > 0
	return added, st.Reset()
}

// facts returns what keepFacts keeps, for a row of its own.
func (r *recording) facts(c *llm.Call) ([]byte, error) {
	r.enc.Reset()
	if err := r.w.speak.enc.Facts(&r.enc, c); err != nil {
		return nil, err
	}
	b := squeeze(nil, r.enc.Bytes())
	r.trimBuffer()
	return b, nil
}

// trimBuffer lets go of memory that one large call needed.
func (r *recording) trimBuffer() {
	if r.enc.Cap() > keepBuffer {
		r.enc = bytes.Buffer{}
	}
}

// say writes what was said in a call, alone when it is one of before: a block is of
// the calls of one transaction.
func (r *recording) say(n int64, c *llm.Call, alone bool) error {
	if r.w.bodies == nil {
		return nil
	}
	s, ok, err := r.w.speak.listen(n, c)
	if err != nil || !ok {
		return err
	}
	var shown any
	if len(s.pieces) > 0 && (alone || len(s.pieces) >= blockCall) {
		b, err := r.sealed(squeeze(nil, s.pieces), placePieces, n)
		if err != nil {
			return err
		}
		r.batch.bytes += int64(len(b))
		s.own = b
	}
	if s.preview != "" {
		if shown, err = r.sealed([]byte(s.preview), placePreview, n); err != nil {
			return err
		}
	}
	r.batch.bytes += int64(len(s.manifest))
	if err := exec(r.w.bodies, "INSERT INTO said (n, preview, manifest, pieces) VALUES (?, ?, ?, ?)", n, shown, s.manifest, s.own); err != nil {
		return err
	}
	for i, h := range s.hashes {
		if r.seal != nil || !alone {
			break
		}
		if err := exec(r.w.bodies, "INSERT INTO piece (id, hash) VALUES (?, ?)", pieceID(n, int64(i)), h[:]); err != nil {
			return err
		}
	}
	if len(s.hashes) > 0 && !alone {
		if err := r.keepPieces(&s); err != nil {
			return err
		}
	}
	for _, l := range s.large {
		b, err := r.sealed(pack(l.data), placeLarge, l.id)
		if err != nil {
			return err
		}
		r.batch.bytes += int64(len(b))
		if err := exec(r.w.bodies, "INSERT INTO large (id, data) VALUES (?, ?)", l.id, b); err != nil {
			return err
		}
	}
	return nil
}

// repair writes what was said in a call that is there without it: the machine went
// down when only one of the files was durable.
func (r *recording) repair(c *llm.Call) error {
	if r.w.bodies == nil {
		return nil
	}
	id := idOf(c.ID)
	if id == nil {
		id = ""
	}
	n, ok, err := one(r.w.calls, "SELECT n FROM call WHERE id = ?", id)
	if err != nil || !ok {
		return err
	}
	if _, there, err := one(r.w.bodies, "SELECT 1 FROM said WHERE n = ?", n); err != nil || there {
		return err
	}
	return r.say(n, c, true)
}

// Places that sealed bytes are for, beside the day and the number of the row.
const (
	placePieces  = "pieces"
	placeBlock   = "block"
	placePreview = "preview"
	placeLarge   = "large"
)

func placeOf(day, kind string, id int64) string { return fmt.Sprint("store ", day, " ", kind, " ", id) }

// sealed returns b as it is written: encrypted where there is a key.
func (r *recording) sealed(b []byte, kind string, id int64) ([]byte, error) {
	if r.seal == nil {
		return b, nil
	}
	return r.seal.Seal(nil, b, placeOf(r.w.name, kind, id))
}
