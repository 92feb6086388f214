package websocket

import "encoding/binary"

// Closing is how a connection was closed, as far as its close frames tell. The zero
// value is one that nobody closed.
type Closing struct {
	Caller, Provider bool   // whose close frame came first
	Code             uint16 // of the provider's; 0 when it told none
	Reason           string // of the provider's, as it was sent
}

// Saw takes a message of one side, and says whether it is a close frame.
func (c *Closing) Saw(m *Message, caller bool) bool {
	if m.Opcode != Close {
		return false
	}
	if !c.Caller && !c.Provider {
		c.Caller, c.Provider = caller, !caller
	}
	if !caller && len(m.Data) >= 2 {
		c.Code, c.Reason = binary.BigEndian.Uint16(m.Data), string(m.Data[2:])
	}
	return true
}

// None says that there was no close frame: the connection broke.
func (c *Closing) None() bool { return !c.Caller && !c.Provider }

// Failed says that the provider closed the connection because of an error: neither
// normally, nor as it goes away (RFC 6455 section 7.4.1).
func (c *Closing) Failed() bool { return c.Code > 1001 && c.Code != 1005 }
