package sealed

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Keys is a ring of keys: the first one seals, all of them open. It is safe for
// concurrent use.
type Keys struct{ all []key }

type key struct {
	id     [idSize]byte
	secret [32]byte
}

// ReadKeys reads a ring from text: keys of 32 bytes as 64 hex digits or as base64, with
// commas, blanks or line ends between them. To take a new key into use put it first; an
// old one may go when nothing is left that was sealed with it. The error tells nothing
// of the text.
func ReadKeys(text string) (*Keys, error) {
	k := &Keys{}
	for i, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		b, ok := keyBytes(word)
		if !ok {
			return nil, fmt.Errorf("key %d: expected 32 bytes as 64 hex digits or as base64, such as `openssl rand -hex 32` prints", i+1)
		}
		next := key{secret: b}
		id := sha256.Sum256(append([]byte("spanwire sealed key id "), b[:]...))
		copy(next.id[:], id[:])
		if k.find(next.id) != nil {
			return nil, fmt.Errorf("key %d is given twice", i+1)
		}
		k.all = append(k.all, next)
	}
	if len(k.all) == 0 {
		return nil, errors.New("there is no key")
	}
	return k, nil
}

func keyBytes(word string) (b [32]byte, ok bool) {
	if n, err := hex.Decode(b[:], []byte(word[:min(len(word), 64)])); err == nil && n == len(b) && len(word) == 64 {
		return b, true
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if got, err := enc.DecodeString(word); err == nil && len(got) == len(b) {
			return [32]byte(got), true
		}
	}
	return b, false
}

func (k *Keys) find(id [idSize]byte) *key {
	if k == nil {
		return nil
	}
	for i := range k.all {
		if k.all[i].id == id {
			return &k.all[i]
		}
	}
	return nil
}

// IDs returns the ids of the keys for people to compare, the one that seals first.
// They tell nothing of the keys.
func (k *Keys) IDs() string {
	if k == nil {
		return "none"
	}
	ids := make([]string, len(k.all))
	for i := range k.all {
		ids[i] = hex.EncodeToString(k.all[i].id[:])
	}
	return strings.Join(ids, ", ")
}
