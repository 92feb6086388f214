package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// mood is how a collector is disposed.
type mood int

const (
	willing   mood = iota
	away           // refuses, or breaks connections off
	forgetful      // takes everything, and does not always say so
)

// collector receives spans as OTLP in JSON, and knows which calls they are of.
type collector struct {
	url  string
	more chan struct{} // has a token when spans came

	mu    sync.Mutex
	mood  mood
	asked int
	taken map[string]map[string]int // how often a call came, by span id
}

func newCollector(t *testing.T) *collector {
	c := &collector{taken: map[string]map[string]int{}, more: make(chan struct{}, 1)}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func (c *collector) set(m mood) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mood = m
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	switch {
	case c.mood == away && c.asked%2 == 0:
		panic(http.ErrAbortHandler)
	case c.mood == away:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err := c.take(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case c.more <- struct{}{}:
	default:
	}
	if c.mood == forgetful && c.asked%3 == 0 {
		panic(http.ErrAbortHandler)
	}
}

// take counts the spans of calls in a request. The mutex is held.
func (c *collector) take(body []byte) error {
	var e exported
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("read spans: %w", err)
	}
	for _, rs := range e.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				for _, a := range s.Attributes {
					if id, _ := a.Value["stringValue"].(string); a.Key == "spanwire.call.id" {
						if c.taken[id] == nil {
							c.taken[id] = map[string]int{}
						}
						c.taken[id][s.SpanID]++
					}
				}
			}
		}
	}
	return nil
}

// spans returns the span ids under which a call came.
func (c *collector) spans(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.taken[id]))
}

// times returns how often each call came.
func (c *collector) times() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for id, spans := range c.taken {
		for _, n := range spans {
			out[id] += n
		}
	}
	return out
}

// wait waits until every call came.
func (c *collector) wait(t *testing.T, ids []string) {
	t.Helper()
	late := time.After(2 * patience)
	for {
		got, missing := c.times(), 0
		for _, id := range ids {
			if got[id] == 0 {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		select {
		case <-c.more:
		case <-late:
			t.Fatalf("%d of %d calls did not come to the collector", missing, len(ids))
		}
	}
}
