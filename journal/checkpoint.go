package journal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/callrecord"
)

// checkpointTime is how often a checkpoint is made while calls come in.
const checkpointTime = time.Hour

// checkpoint is the facts of a record that signs everything before it. Whoever
// cuts the journal off or writes it anew cannot make one.
type checkpoint struct {
	Key       []byte `cbor:"1,keyasint"`
	Signature []byte `cbor:"2,keyasint"`
}

// signed is what a checkpoint signs: which journal, which record, when, and the
// hash of the record before, which holds all the others.
func signed(id [16]byte, r record) []byte {
	b := []byte("spanwire journal checkpoint 1\n")
	b = append(b, id[:]...)
	b = binary.LittleEndian.AppendUint64(b, r.seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.at.UnixNano()))
	return append(b, r.prev[:]...)
}

// due says whether it is time for a checkpoint.
func (j *Journal) due(now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.set.SigningKey != nil && j.unsigned > 0 && now.Sub(j.checked) >= checkpointTime
}

// checkpoint appends a checkpoint when there is something new to sign. It is
// called by the goroutine that writes. When it fails the next one signs the same.
func (j *Journal) checkpoint(now time.Time) {
	j.mu.Lock()
	idle := j.set.SigningKey == nil || j.unsigned == 0
	j.mu.Unlock()
	if idle || j.room(now) != nil {
		return
	}
	w := &j.w
	w.out.Reset()
	at, salt := j.position()
	at.kind, at.at = kindCheckpoint, now
	c := checkpoint{
		Key:       j.set.SigningKey.Public().(ed25519.PublicKey),
		Signature: ed25519.Sign(j.set.SigningKey, signed(j.id, at)),
	}
	sum, err := appendFrame(&w.out, salt, at,
		func(out *bytes.Buffer) error { return callrecord.Marshal(out, &c) },
		func(*bytes.Buffer) error { return nil })
	if err != nil {
		j.log.Error("a checkpoint of the journal cannot be made", "error", err)
		return
	}
	if j.persist(encoded{records: 1, sum: sum}, now) != nil {
		return
	}
	j.mu.Lock()
	j.unsigned, j.checked = 0, now
	j.mu.Unlock()
	// A log that is kept elsewhere then tells what the journal must hold.
	j.log.Info("checkpoint of the journal", "record", at.seq, "hash", hex.EncodeToString(at.prev[:]))
}

// verify checks the signature of a checkpoint. With trusted, it must be that key's.
func (c *checkpoint) verify(id [16]byte, r record, trusted ed25519.PublicKey) error {
	switch {
	case len(c.Key) != ed25519.PublicKeySize:
		return errors.New("the checkpoint has no key")
	case trusted != nil && !trusted.Equal(ed25519.PublicKey(c.Key)):
		return errors.New("the checkpoint is signed with another key")
	case !ed25519.Verify(c.Key, signed(id, r), c.Signature):
		return errors.New("the signature of the checkpoint does not hold")
	}
	return nil
}

// SigningKey reads an Ed25519 seed: 32 bytes as 64 hex digits or as base64. The
// error tells nothing of the text.
func SigningKey(text string) (ed25519.PrivateKey, error) {
	seed, err := keyBytes(text)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// PublicKey reads the public half, in the same forms.
func PublicKey(text string) (ed25519.PublicKey, error) {
	key, err := keyBytes(text)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return key, nil
}

func keyBytes(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if b, err := hex.DecodeString(text); err == nil && len(b) == ed25519.SeedSize {
		return b, nil
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := enc.DecodeString(text); err == nil && len(b) == ed25519.SeedSize {
			return b, nil
		}
	}
	return nil, errors.New("expected 32 bytes as 64 hex digits or as base64, such as `openssl rand -hex 32` prints")
}
