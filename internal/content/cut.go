package content

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// CutMark separates what stays of base64 that was cut while it passed from its
// length and digest: beginning ~ length ~ SHA-256. It is no character of base64.
const CutMark = '~'

// AppendCut appends to the beginning of base64 that was cut what was left out: the
// length of the whole in bytes and its digest.
func AppendCut(dst []byte, size int64, sum [32]byte) []byte {
	dst = append(dst, CutMark)
	dst = strconv.AppendInt(dst, size, 10)
	dst = append(dst, CutMark)
	return hex.AppendEncode(dst, sum[:])
}

// cut reads what AppendCut wrote.
func cut(raw []byte) (size int64, sum string, ok bool) {
	const digest = 64
	at := len(raw) - digest - 1
	if at < 1 || raw[at] != CutMark {
		return 0, "", false
	}
	from := bytes.LastIndexByte(raw[:at], CutMark)
	if from < 0 {
		return 0, "", false
	}
	size, err := strconv.ParseInt(string(raw[from+1:at]), 10, 64)
	if _, herr := hex.DecodeString(string(raw[at+1:])); err != nil || herr != nil || size < int64(from) {
		return 0, "", false
	}
	return size, string(raw[at+1:]), true
}
