package proxy

import (
	crand "crypto/rand"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"
)

// randomness has generators for ids, one for each goroutine that makes one. To ask
// the system for each id is a tenth of what relaying a small call costs besides
// reading and writing; ChaCha8 cannot be guessed from its output either.
var randomness = sync.Pool{New: func() any {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	return rand.NewChaCha8(seed)
}}

// newCallID returns a UUID of version 7, which sorts by time
// (https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7).
func newCallID() string {
	r := randomness.Get().(*rand.ChaCha8)
	defer randomness.Put(r)
	id, err := uuid.NewV7FromReader(r)
	if err != nil {
		id = uuid.New()
	}
	return id.String()
}
