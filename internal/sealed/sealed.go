// Package sealed encrypts what is kept on disk: contents of calls, in the journal and
// in the store.
//
// A sealed text is
//
//	0  u8   version, 1
//	1  [8]  id of the key
//	9  [16] salt, random
//	25      a stream in the DARE 2.0 format (AES-256-GCM in packages of 64 KiB) of the
//	        text and one byte more, so that the stream of an empty text is not empty
//
// The stream's key is derived (HKDF-SHA256) from the key, the salt and the place that
// the text is for: no two texts share a key, and one that was moved to another place
// cannot be opened there. (DARE: https://github.com/minio/sio/blob/master/DARE.md)
package sealed

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/minio/sio"
)

// Errors that callers may tell apart.
var (
	// ErrNoKey says that a text was sealed with a key that is not among those given.
	ErrNoKey = errors.New("sealed with another key")
	// ErrDamaged says that a text is not what was sealed, or not for this place.
	ErrDamaged = errors.New("damaged, or moved from where it was sealed")
)

const (
	version = 1
	idSize  = 8
	saltLen = 16
	head    = 1 + idSize + saltLen
)

// Seal appends the sealed text to dst. place says what the text is and where it
// stands ("journal 12", a piece's name); it is needed to open it again, and is not
// kept. text is not changed. k must not be nil.
func (k *Keys) Seal(dst, text []byte, place string) ([]byte, error) {
	key := &k.all[0]
	from := len(dst)
	dst = append(dst, version)
	dst = append(dst, key.id[:]...)
	var salt [saltLen]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return dst[:from], fmt.Errorf("seal: %w", err)
	}
	dst = append(dst, salt[:]...)
	cfg, err := key.stream(salt[:], place)
	if err != nil {
		return dst[:from], fmt.Errorf("seal: %w", err)
	}
	out := bytes.NewBuffer(dst)
	out.Grow(Overhead(len(text)) - head + len(text))
	w, err := sio.EncryptWriter(out, cfg)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		_, err = w.Write([]byte{1})
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return dst[:from], fmt.Errorf("seal: %w", err)
	}
	return out.Bytes(), nil
}

// Open appends the text that Seal sealed for the same place to dst. The error is
// [ErrNoKey] or [ErrDamaged]; dst is then as it was. A nil ring opens nothing.
func (k *Keys) Open(dst, sealed []byte, place string) ([]byte, error) {
	key, err := k.of(sealed)
	if err != nil {
		return dst, err
	}
	// The library takes for granted that what it opens ends with a package that has
	// more than a header and a tag.
	if last := (len(sealed) - head) % (perPackage + payload); len(sealed) == head || last > 0 && last <= perPackage {
		return dst, ErrDamaged
	}
	cfg, err := key.stream(sealed[1+idSize:head], place)
	if err != nil {
		return dst, fmt.Errorf("open: %w", err)
	}
	from := len(dst)
	out, err := sio.DecryptBuffer(dst, sealed[head:], cfg)
	if err != nil || len(out) <= from {
		return dst, ErrDamaged
	}
	return out[:len(out)-1], nil
}

// CanOpen says whether the key of a sealed text is in the ring, by its id alone: the
// error is [ErrNoKey] or [ErrDamaged]. A nil ring has none.
func (k *Keys) CanOpen(sealed []byte) error {
	_, err := k.of(sealed)
	return err
}

// of returns the key that a sealed text names.
func (k *Keys) of(sealed []byte) (*key, error) {
	if len(sealed) < head || sealed[0] != version {
		return nil, ErrDamaged
	}
	if key := k.find([idSize]byte(sealed[1:])); key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%w: it has the id %x, given are: %s", ErrNoKey, sealed[1:1+idSize], k.IDs())
}

// The library cuts a text into packages of so many bytes, and adds a header and a tag
// to each.
const perPackage, payload = 32, 64 << 10

// Overhead is by how many bytes a text of n bytes grows when it is sealed.
func Overhead(n int) int {
	return head + 1 + perPackage*((n+payload)/payload)
}

// stream returns what the stream of one text is encrypted with.
func (k *key) stream(salt []byte, place string) (sio.Config, error) {
	secret, err := hkdf.Key(sha256.New, k.secret[:], salt, "spanwire sealed 1 "+place, 32)
	return sio.Config{MinVersion: sio.Version20, MaxVersion: sio.Version20, CipherSuites: []byte{sio.AES_256_GCM}, Key: secret}, err
}
