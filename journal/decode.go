package journal

import (
	"fmt"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/llm"
)

// contentDropped marks a call whose content was there once (docs/telemetry.md).
const contentDropped = "spanwire.content.dropped"

// decodeCall returns the call of a record. The call shares no memory with r.
func decodeCall(r record) (*llm.Call, error) {
	c, err := callrecord.DecodeFacts(r.facts)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.seq, err)
	}
	if r.stripped() {
		c.SetAttr(contentDropped, true)
		c.Problems = append(c.Problems, "journal: the content was dropped, because the journal was full")
		return c, nil
	}
	if len(r.content) == 0 {
		return c, nil
	}
	if err := callrecord.DecodeSaid(r.content, c); err != nil {
		return nil, fmt.Errorf("record %d: %w", r.seq, err)
	}
	return c, nil
}
