package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/spanwire/spanwire/journal"
	"github.com/spanwire/spanwire/recorder"
	"github.com/spanwire/spanwire/store"
	"github.com/spanwire/spanwire/tracing"
)

// status is what /status says: where calls are on their way to disk and to the
// exporters. It holds counts, sizes, times, names and error texts; nothing of a call,
// and no key. Counts are since the start.
type status struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`
	Ready   string    `json:"ready"` // "yes", or why not

	Recorder  recorderStatus   `json:"recorder"`
	Journal   *journalStatus   `json:"journal"` // null when there is none
	Store     *storeStatus     `json:"store"`   // null when there is none
	Exporters []exporterStatus `json:"exporters"`
}

type recorderStatus struct {
	QueuedExchanges int              `json:"queued_exchanges"`
	QueuedBytes     int64            `json:"queued_bytes"`
	Recorded        int64            `json:"recorded"`
	Calls           int64            `json:"calls"`
	DroppedBodies   int64            `json:"dropped_bodies"`
	Dropped         map[string]int64 `json:"dropped"`
	Sinks           []sinkStatus     `json:"sinks"`
}

type sinkStatus struct {
	Name        string `json:"name"`
	QueuedCalls int    `json:"queued_calls"`
	QueuedBytes int64  `json:"queued_bytes"`
	Delivered   int64  `json:"delivered"`
	Failed      int64  `json:"failed"`
	Dropped     int64  `json:"dropped"`
}

type journalStatus struct {
	Segments       int              `json:"segments"`
	Bytes          int64            `json:"bytes"`
	NextRecord     uint64           `json:"next_record"`
	Appended       int64            `json:"appended"`
	Failures       int64            `json:"failures"`
	Failing        string           `json:"failing"` // "" when the last write did not fail
	Dropped        int64            `json:"dropped"`
	DroppedBodies  int64            `json:"dropped_bodies"`
	TornBytes      int64            `json:"torn_bytes"`
	LostRecords    int64            `json:"lost_records"`
	LastCheckpoint *time.Time       `json:"last_checkpoint"` // null when none is known of
	UnsignedCalls  int              `json:"calls_after_checkpoint"`
	Followers      []followerStatus `json:"followers"`
}

type followerStatus struct {
	Name       string  `json:"name"`
	LagRecords int64   `json:"lag_records"`
	LagBytes   int64   `json:"lag_bytes"`
	LagSeconds float64 `json:"lag_seconds"`
	Delivered  int64   `json:"delivered"`
	Retries    int64   `json:"retries"`
	Dropped    int64   `json:"dropped"`
	LastError  string  `json:"last_error"` // "" when the last attempt did not fail
}

type storeStatus struct {
	Days         int   `json:"days"`
	Bytes        int64 `json:"bytes"`
	Stored       int64 `json:"stored"`
	Repeated     int64 `json:"repeated"`
	Expired      int64 `json:"expired"`
	Failures     int64 `json:"failures"`
	IndexLag     int64 `json:"index_lag"`
	RemovedFiles int64 `json:"removed_files"`
}

type exporterStatus struct {
	Name        string           `json:"name"`
	To          string           `json:"to"`
	QueuedSpans int              `json:"queued_spans"`
	QueuedBytes int64            `json:"queued_bytes"`
	Sent        int64            `json:"sent"`
	Retries     int64            `json:"retries"`
	Dropped     map[string]int64 `json:"dropped"`
}

// reporter makes a status.
type reporter struct {
	started time.Time
	state   *state
	keep    keepers
	traces  *tracing.Tracing
}

func (r *reporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	_ = out.Encode(r.status()) // the caller may be gone, which changes nothing
}

func (r *reporter) status() status {
	s := status{Version: version, Started: r.started.UTC(), Now: time.Now().UTC(), Ready: "yes", Exporters: []exporterStatus{}}
	if err := r.state.ready(); err != nil {
		s.Ready = err.Error()
	}
	s.Recorder = statusOfRecorder(r.state.recorder.Stats())
	if r.keep.journal != nil {
		s.Journal = statusOfJournal(r.keep.journal.Stats())
	}
	if r.keep.store != nil {
		s.Store = statusOfStore(r.keep.store.Stats())
	}
	for _, x := range r.traces.ExporterStats() {
		s.Exporters = append(s.Exporters, exporterStatus{x.Name, x.To, x.Queued, x.QueuedBytes, x.Sent, x.Retries, x.Dropped})
	}
	return s
}

func statusOfRecorder(st recorder.Stats) recorderStatus {
	out := recorderStatus{
		QueuedExchanges: st.Queued, QueuedBytes: st.QueuedBytes, Recorded: st.Recorded, Calls: st.Calls,
		DroppedBodies: st.DroppedBodies, Dropped: st.Dropped, Sinks: []sinkStatus{},
	}
	for _, x := range st.Sinks {
		out.Sinks = append(out.Sinks, sinkStatus{x.Name, x.Queued, x.QueuedBytes, x.Delivered, x.Failed, x.Dropped})
	}
	return out
}

func statusOfJournal(st journal.Stats) *journalStatus {
	out := &journalStatus{
		Segments: st.Segments, Bytes: st.Bytes, NextRecord: st.Next, Appended: st.Appended, Failures: st.Failures, Failing: briefly(st.Failing),
		Dropped: st.DroppedCalls, DroppedBodies: st.DroppedBodies, TornBytes: st.TornBytes, LostRecords: st.LostRecords, UnsignedCalls: st.Unsigned,
		Followers: []followerStatus{},
	}
	if !st.Checked.IsZero() {
		at := st.Checked.UTC()
		out.LastCheckpoint = &at
	}
	for _, f := range st.Followers {
		out.Followers = append(out.Followers, followerStatus{f.Name, f.LagRecords, f.LagBytes, f.Lag.Seconds(), f.Delivered, f.Retries, f.Dropped, briefly(f.LastError)})
	}
	return out
}

func statusOfStore(st store.Stats) *storeStatus {
	return &storeStatus{
		Days: st.Days, Bytes: st.Bytes, Stored: st.Stored, Repeated: st.Again, Expired: st.Expired, Failures: st.Failures,
		IndexLag: st.IndexLag, RemovedFiles: st.Unlinked,
	}
}

// briefly returns the first line of an error, which after a panic has many.
func briefly(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return safe(first, 300)
}
