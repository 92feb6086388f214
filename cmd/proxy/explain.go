package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spanwire/spanwire/runs"
)

// explain answers why a call was placed where it is.
func (a admin) explain(w http.ResponseWriter, r *http.Request) {
	call := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("call")))
	if a.runs == nil {
		say(w, http.StatusNotFound, "runs are not looked for: runs.enabled is false\n")
		return
	}
	x, ok := a.runs.Explain(call)
	if !ok {
		say(w, http.StatusNotFound, "no such call among the last ones that were placed: want its x-spanwire-call-id; embeddings and calls without messages get no place\n")
		return
	}
	if r.URL.Query().Get("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(x) // the caller may be gone, which changes nothing
		return
	}
	say(w, http.StatusOK, explained(&x))
}

// explained is an explanation for people.
func explained(x *runs.Explanation) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "call %s, begun %s\n", x.Call, x.Start.Format(time.RFC3339Nano))
	if x.Parent == "" {
		row("goes on", "from no call")
	} else {
		row("goes on", "from %s, by %s: %s", x.Parent, strings.Join(x.Evidence, ", "), x.Confidence)
	}
	switch {
	case x.ByCall != "":
		row("run", "%s, turn %d, started by a tool call %s of %s", x.Run, x.Turn, x.ByTool, x.ByCall)
	default:
		row("run", "%s, turn %d", x.Run, x.Turn)
	}
	row("session", "%s", x.Session)
	if x.RetryOf != "" {
		row("retry", "of %s", x.RetryOf)
	}
	if x.RepeatOf != "" {
		row("repeat", "of %s, which was answered", x.RepeatOf)
	}
	if len(x.Tools) > 0 {
		row("tools", "%s ran before it", strings.Join(x.Tools, ", "))
	}
	switch {
	case x.Foreign:
		row("trace", "the caller's own, which wins: the run is attributes and links")
	case x.Root:
		row("trace", "the run's, under a span of its own")
	default:
		row("trace", "no span above the run: no tools were offered, asked for or answered when it began")
	}
	row("looked at", "%d turns of this request, %d calls of the same credential and team", x.Turns, x.Known)
	for _, c := range x.Considered {
		fmt.Fprintf(&b, "  - %s  by %s, score %d\n    %s\n", c.Call, strings.Join(c.Evidence, ", "), c.Score, c.Verdict)
	}
	switch {
	case x.Ambiguous:
		b.WriteString("  Several calls of different runs fit equally well, and a wrong link is worse than none.\n")
	case len(x.Considered) == 0:
		b.WriteString("  No remembered call gave out an id that this request holds, or is its beginning.\n")
	}
	return b.String()
}
