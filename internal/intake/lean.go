package intake

import (
	"bytes"
	"crypto/sha256"
	"hash"

	"github.com/spanwire/spanwire/internal/content"
)

// lean takes long base64 out of a body while it passes: images and audio of
// megabytes leave their beginning, length and digest, as [content.Blob] reads
// them. Only what stands in members that hold such data is cut: a model that
// writes base64 as its text is read whole. Where the pieces are cut does not matter.
type lean struct {
	before []byte // what stood before the run at hand, as far as a key may reach back
	run    []byte // the run at hand: bytes of base64, until it is cut or free
	free   bool   // the run at hand is long and not to be cut
	skip   bool   // the rest of the run is left out
	size   int64
	sum    hash.Hash

	out  []byte
	p    []byte // the piece at hand
	from int    // what of p is kept and not in out yet begins here
	own  bool   // the result is out, not p
}

const (
	leanRun    = 4096 // what stays of a run
	leanStep   = 1024 // a run that is to be cut spans a whole step, so only ends are looked at
	leanBefore = 96   // "image_url": "data:image/svg+xml;base64, and the like
)

// blobKeys are the members that hold base64.
var blobKeys = []string{
	"b64_json", "partial_image_b64", "result", "audio_data", "image_base64", "audio",
	"data", "url", "image_url", "file_data", "encrypted_content", "bytes",
}

// pass returns what of p is to be read: p itself unless something is cut. The
// result is valid until the next call.
func (l *lean) pass(p []byte) []byte {
	l.p, l.from, l.own = p, 0, false
	for i := 0; i < len(p); i += leanStep {
		l.step(i, min(i+leanStep, len(p)))
	}
	l.p = nil
	if !l.own {
		return p
	}
	l.out = append(l.out, p[l.from:]...)
	return l.out
}

// step takes p[i:end].
func (l *lean) step(i, end int) {
	s := l.p[i:end]
	lead := 0
	for lead < len(s) && inBase64[s[lead]] {
		lead++
	}
	switch {
	case l.skip:
		l.leave(i, i+lead)
	case l.free:
	case len(l.run)+lead <= leanRun:
		l.run = append(l.run, s[:lead]...)
	case l.cuttable():
		keep := leanRun - len(l.run)
		l.keepTo(i + keep)
		if l.skip, l.size = true, leanRun; l.sum == nil {
			l.sum = sha256.New()
		}
		l.sum.Reset()
		l.sum.Write(l.run)
		l.sum.Write(s[:keep])
		l.leave(i+keep, i+lead)
	default:
		l.free = true
	}
	if lead == len(s) {
		return
	}
	if l.skip {
		var sum [32]byte
		l.sum.Sum(sum[:0])
		l.out = content.AppendCut(l.out, l.size, sum)
		l.skip = false
	}
	l.begin(s, lead)
}

// leave leaves p[i:end] out.
func (l *lean) leave(i, end int) {
	if !l.own {
		l.keepTo(i)
	}
	l.size += int64(end - i)
	l.sum.Write(l.p[i:end])
	l.from = end
}

// keepTo puts what is kept of the piece so far into the result.
func (l *lean) keepTo(end int) {
	if !l.own {
		l.out, l.own = l.out[:0], true
	}
	l.out = append(l.out, l.p[l.from:end]...)
	l.from = end
}

// begin starts the run that s ends in: another one has ended in s, at lead.
func (l *lean) begin(s []byte, lead int) {
	at := len(s)
	for inBase64[s[at-1]] { // not as far as lead: that byte is none
		at--
	}
	head := s[lead:at]
	if len(head) < leanBefore {
		l.before = append(l.before, l.run[max(0, len(l.run)-leanBefore):]...)
	} else {
		l.before = l.before[:0]
	}
	l.before = append(l.before, head[max(0, len(head)-leanBefore):]...)
	if over := len(l.before) - leanBefore; over > 0 {
		l.before = append(l.before[:0], l.before[over:]...)
	}
	l.run, l.free = append(l.run[:0], s[at:]...), false
}

// cuttable says that the run at hand is the value of a member that holds base64,
// or the data of a URL in one.
func (l *lean) cuttable() bool {
	b := l.before
	if bytes.HasSuffix(b, []byte(";base64,")) {
		i := bytes.LastIndex(b, []byte("data:"))
		if i < 0 {
			return false
		}
		b = b[:i]
	}
	quote := func() bool {
		ok := len(b) > 0 && b[len(b)-1] == '"'
		if ok {
			b = b[:len(b)-1]
		}
		return ok
	}
	if !quote() {
		return false
	}
	b = bytes.TrimRight(b, " ")
	if len(b) == 0 || b[len(b)-1] != ':' {
		return false
	}
	b = bytes.TrimRight(b[:len(b)-1], " ")
	if !quote() {
		return false
	}
	for _, key := range blobKeys {
		if n := len(b) - len(key); n > 0 && b[n-1] == '"' && string(b[n:]) == key {
			return true
		}
	}
	return false
}

// inBase64 says which bytes base64 is made of, in both alphabets.
var inBase64 = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=") {
		set[c] = true
	}
	return set
}()
