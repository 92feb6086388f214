package attribution

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spanwire/spanwire/llm"
)

// told takes what a coding agent says of where a call of its stands.
func (r *reading) told(u use, value string) {
	to := &r.call.Told
	switch u {
	case useToldAgent:
		set(&to.Agent, value)
	case useToldParent:
		set(&to.ParentAgent, value)
	case useToldClass:
		switch strings.ToLower(value) {
		case "auxiliary", "compaction", "prewarm":
			to.Aside = true
		}
	case useToldTools:
		to.Tools = toolTimes(value)
	}
}

// toolTimes reads "Bash=742;Read=9": milliseconds by the percent-encoded name of the
// tool, in the order in which they ran. What is not so is passed over.
func toolTimes(value string) (times []llm.ToolTime) {
	const most, longest = 64, 24 * time.Hour
	for field := range strings.SplitSeq(value, ";") {
		i := strings.LastIndexByte(field, '=')
		if i <= 0 || len(times) == most {
			continue
		}
		name, err := url.PathUnescape(strings.TrimSpace(field[:i]))
		ms, numErr := strconv.ParseFloat(strings.TrimSpace(field[i+1:]), 64)
		if err != nil || numErr != nil || !(ms >= 0 && ms <= float64(longest/time.Millisecond)) {
			continue
		}
		times = append(times, llm.ToolTime{Name: clean(name, idBytes), Time: time.Duration(ms * float64(time.Millisecond))})
	}
	return times
}
