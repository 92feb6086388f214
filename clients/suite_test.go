package clients

import (
	"context"
	"slices"
	"testing"
	"time"
)

// A suite is one API, the clients that speak it, and what is done with them.
type suite struct {
	name     string
	clients  []client
	features []feature
	// scripts is the folder of the answers, one file a feature. Without one the
	// fake provider answers.
	scripts string
	keyless bool // its callers send no key
}

// A feature is one thing that users do with an SDK, and what must be true then:
// on the client's side, and in the spans that came out.
type feature struct {
	name string
	// calls are the spans that there must be, in the order of the calls. Where it
	// is set, what the client must have been told follows from it, and told says
	// in what this SDK's words differ.
	calls []call
	told  func(f *facts)
	// spans is their number, where calls is not set.
	spans int
	// check looks at more; the spans are in the order of the calls.
	check func(c *checks, f facts, s []span)
}

func (f feature) wanted() int {
	if len(f.calls) > 0 {
		return len(f.calls)
	}
	return f.spans
}

// A result is what one client made of one feature.
type result struct {
	sdk     string // with its version
	feature string
	failed  bool
}

// runClient runs every feature one after the other through one proxy, then stops
// the proxy and looks for the spans that started while each feature ran.
func runClient(t *testing.T, s suite, c client) []result {
	p := startProvider(t, s, c)
	proxy := startProxy(t, p, c)
	asked, err := c.start(t, proxy)
	if err != nil {
		t.Fatal(err)
	}
	type run struct {
		facts      facts
		err        error
		wrong      []error // of the upstream
		start, end time.Time
	}
	runs := map[string]run{}
	for _, f := range s.features {
		if err := p.begin(f.name); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r := run{start: time.Now()}
		r.facts, r.err = asked(ctx, f.name)
		r.end = time.Now()
		cancel()
		r.wrong = p.end()
		runs[f.name] = r
	}
	p.release()
	spans := proxy.stop(t)

	var results []result
	for _, f := range s.features {
		r := runs[f.name]
		var mine []span
		for _, s := range spans {
			if at := s.Start.time(); at.After(r.start) && at.Before(r.end) {
				mine = append(mine, s)
			}
		}
		ok := t.Run(f.name, func(t *testing.T) { verify(t, f, r.facts, r.err, r.wrong, mine) })
		results = append(results, result{sdk: r.facts.SDK, feature: f.name, failed: !ok})
	}
	return results
}

func verify(t *testing.T, f feature, told facts, err error, wrong []error, spans []span) {
	for _, err := range wrong {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := spans
	spans = slices.DeleteFunc(slices.Clone(all), func(s span) bool { return s.text("spanwire.inferred") == "true" })
	if len(spans) != f.wanted() {
		t.Fatalf("%d spans, want %d", len(spans), f.wanted())
	}
	var found checks
	if len(f.calls) > 0 {
		found.facts(f, told)
		for i, c := range f.calls {
			found.call(c, spans[i], i)
		}
		found.run(f.calls, all)
	}
	if f.check != nil {
		f.check(&found, told, spans)
	}
	for _, err := range found.wrong {
		t.Error(err)
	}
}
