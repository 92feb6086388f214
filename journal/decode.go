package journal

import (
	"fmt"

	"github.com/spanwire/spanwire/internal/callrecord"
	"github.com/spanwire/spanwire/internal/sealed"
	"github.com/spanwire/spanwire/llm"
)

// contentDropped marks a call whose content was there once (docs/telemetry.md).
const contentDropped = "spanwire.content.dropped"

// decodeCall returns the call of a record, whose content keys open when it is
// encrypted. The call shares no memory with r.
func decodeCall(r record, keys *sealed.Keys) (*llm.Call, error) {
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
	said, err := r.said(keys)
	if err == nil {
		err = callrecord.DecodeSaid(said, c)
	}
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.seq, err)
	}
	return c, nil
}

// said returns the content, opened when it is encrypted.
func (r *record) said(keys *sealed.Keys) ([]byte, error) {
	if !r.sealed() {
		return r.content, nil
	}
	said, err := keys.Open(nil, r.content, r.place())
	if err != nil {
		return nil, fmt.Errorf("open its content: %w", err)
	}
	return said, nil
}
