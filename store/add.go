package store

import (
	"errors"
	"math"
	"time"

	"github.com/spanwire/spanwire/llm"
)

func failed(c *llm.Call) bool { return c.ErrorType != "" }

// nanos returns a time in nanoseconds since 1970; 0 for one that has none.
func nanos(t time.Time) int64 {
	if y := t.Year(); y < 1678 || y > 2261 {
		return 0
	}
	return t.UnixNano()
}

// span returns how long it was from one time to another; 0 when one is not known.
func span(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	// By the clock on the wall, which is what is kept: the other one reads a little
	// different, and totals would not be those of the calls.
	return to.Round(0).Sub(from.Round(0))
}

// sessionOf returns the session of a call: text when the caller told it, else the id
// of the call that began the conversation. The two never are equal.
func sessionOf(c *llm.Call) any {
	if c.Attribution.Session != "" {
		return clip(c.Attribution.Session)
	}
	if c.Run == nil {
		return nil
	}
	return idOf(c.Run.Session)
}

// sumsOf returns what a call adds to totals.
func sumsOf(c *llm.Call) sums {
	s := sums{calls: 1, counted: flag(c.Usage.Known()), priced: flag(c.Cost.Known()), dur: max(int64(span(c.Start, c.End)), 0)}
	s.input, _ = c.Usage.Input()
	s.output, _ = c.Usage.Output()
	s.cacheRead, _ = c.Usage.CacheReads()
	s.cacheWrite, _ = c.Usage.CacheWrites()
	s.reasoning, _ = c.Usage.Get(llm.Reasoning)
	for _, n := range [...]*int64{&s.input, &s.output, &s.cacheRead, &s.cacheWrite, &s.reasoning} {
		*n = max(*n, 0) // a sum of absurd counts may have gone around
	}
	if c.Cost.Known() {
		s.cost = int64(c.Cost.Total)
	}
	return s
}

// add adds a call to the totals of its hour, on every axis.
func (r *recording) add(c *llm.Call, e *entries) error {
	s := sumsOf(c)
	shown := func(x entry) int64 {
		if x.shown {
			return x.id
		}
		r.batch.other++
		return other
	}
	at := nanos(c.Start) / int64(time.Hour) * int64(time.Hour/time.Second)
	team := shown(e.team)
	all, err := r.w.totals.cell(cellKey{
		at: at, axis: axisAll, team: team, model: shown(e.model), provider: shown(e.provider), operation: shown(e.operation),
		failed: flag(failed(c)), usageSource: shown(e.usageSource), costSource: shown(e.costSource), currency: e.currency.id,
	})
	if err != nil {
		return err
	}
	all.sums.add(&s)
	if d := span(c.Start, c.End); d > 0 {
		addTo(&all.latency, d.Seconds())
	}
	if d := span(c.Start, c.FirstToken); d > 0 {
		addTo(&all.ttft, d.Seconds())
	}
	split := func(axis string, x entry) error {
		cell, err := r.w.totals.cell(cellKey{at: at, axis: axis, value: shown(x), team: team, failed: flag(failed(c)), currency: e.currency.id})
		if err == nil {
			cell.sums.add(&s)
		}
		return err
	}
	err = errors.Join(split(dictUser, e.user), split(dictKey, e.key), split(dictAgent, e.agent))
	tags := e.tags
	if len(tags) == 0 {
		tags = []entry{{noValue, true}}
	}
	for _, t := range tags {
		err = errors.Join(err, split(dictTag, t))
	}
	return err
}

// sessionRow is what a batch adds to a session. Its sums have the cost in US dollars
// alone.
type sessionRow struct {
	sums
	others            map[int64]int64 // costs in other currencies, by their rows in the dictionary
	failed            int64
	first, last       int64
	team, user, agent int64
}

func (r *recording) session(c *llm.Call, e *entries) {
	id := sessionOf(c)
	if id == nil {
		return
	}
	key := id
	if b, ok := id.([]byte); ok {
		key = [16]byte(b)
	}
	row := r.sessions[key]
	if row == nil {
		row = &sessionRow{first: math.MaxInt64, last: math.MinInt64}
		r.sessions[key] = row
	}
	s := sumsOf(c)
	if e.currency.id != noValue && c.Cost.Known() {
		if row.others == nil {
			row.others = map[int64]int64{}
		}
		row.others[e.currency.id] = addCost(row.others[e.currency.id], s.cost)
		s.cost = 0
	}
	row.sums.add(&s)
	row.failed += flag(failed(c))
	row.first = min(row.first, nanos(c.Start))
	row.last = max(row.last, nanos(c.End), nanos(c.Start))
	row.team, row.user, row.agent = e.team.id, e.user.id, e.agent.id
}

const upsertSession = `INSERT INTO session (id, first, last, calls, failed, input, output, cost, priced, team, user, agent) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
 ON CONFLICT (id) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last), calls = calls + excluded.calls, failed = failed + excluded.failed,
 input = input + excluded.input, output = output + excluded.output, cost = cost + excluded.cost, priced = priced + excluded.priced,
 team = excluded.team, user = excluded.user, agent = excluded.agent`

const upsertSessionCost = `INSERT INTO session_cost (id, currency, cost) VALUES (?,?,?) ON CONFLICT (id, currency) DO UPDATE SET cost = cost + excluded.cost`

// mostCost bounds what is added to a session at once: the sum is SQLite's to make.
const mostCost = 1 << 60

func (r *recording) writeSessions() error {
	for key, s := range r.sessions {
		id := key
		if b, ok := key.([16]byte); ok {
			id = b[:]
		}
		err := exec(r.w.calls, upsertSession, id, s.first, s.last, s.calls, s.failed, s.input, s.output, min(max(s.cost, -mostCost), mostCost), s.priced, s.team, s.user, s.agent)
		if err != nil {
			return err
		}
		for currency, cost := range s.others {
			if err := exec(r.w.calls, upsertSessionCost, id, currency, min(max(cost, -mostCost), mostCost)); err != nil {
				return err
			}
		}
	}
	return nil
}
