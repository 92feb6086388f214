// Package content makes the parts of messages that are no text: links without
// their credentials, and blobs of which size and digest are kept.
package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/spanwire/spanwire/internal/jsonwalk"
	"github.com/spanwire/spanwire/llm"
)

// Link makes a part of a URL: data in it becomes a blob, of which size and
// digest are kept.
func Link(val []byte, modality string) llm.Part {
	raw := jsonwalk.Inner(val)
	if rest, ok := strings.CutPrefix(string(raw[:min(len(raw), 256)]), "data:"); ok {
		head, _, ok := strings.Cut(rest, ",")
		if !ok {
			return Blob(raw, modality, "")
		}
		mime, _, _ := strings.Cut(head, ";")
		return Blob(raw[len("data:")+len(head)+1:], modality, unescapeSlashes(mime))
	}
	if len(raw) > maxLink || modality == "document" && !strings.Contains(string(raw[:min(len(raw), 16)]), "://") {
		return Blob(raw, modality, "") // base64 without the data: frame
	}
	return llm.Part{Type: llm.PartURI, Modality: modality, URI: CleanURI(jsonwalk.Unescape(raw))}
}

// maxLink is how long a URL may be; what is longer is data.
const maxLink = 4096

func unescapeSlashes(s string) string { return strings.ReplaceAll(s, `\/`, "/") }

// Blob keeps size and digest of bytes in a message, as they were sent: also those
// of base64 that was cut while it passed (see [AppendCut]). Of an image it reads how
// many pixels it has.
func Blob(raw []byte, modality, mime string) llm.Part {
	p := llm.Part{Type: llm.PartBlob, Modality: modality, MIMEType: jsonwalk.Clip(mime, 128), Size: int64(len(raw))}
	if modality == "image" {
		p.Width, p.Height = imageSize(raw)
	}
	if size, sum, ok := cut(raw); ok {
		p.Size, p.SHA256 = size, sum
		return p
	}
	sum := sha256.Sum256(raw)
	p.SHA256 = hex.EncodeToString(sum[:])
	return p
}

// CleanURI takes credentials out of a URL: user and password, and every query
// parameter that signs or authorises (wire reference, section 15.3).
func CleanURI(uri string) string {
	rest, query, hasQuery := strings.Cut(uri, "?")
	if scheme, tail, ok := strings.Cut(rest, "://"); ok {
		host, path, slash := strings.Cut(tail, "/")
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			if rest = scheme + "://" + host[i+1:]; slash {
				rest += "/" + path
			}
		}
	}
	if !hasQuery {
		return rest
	}
	var keep []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if !secretParam(name) {
			keep = append(keep, pair)
		}
	}
	if len(keep) == 0 {
		return rest
	}
	return rest + "?" + strings.Join(keep, "&")
}

// secretParam says whether a query parameter signs a URL or authorises: those of
// S3, Google, Azure and CloudFront, and the plain names.
func secretParam(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"x-amz-", "x-goog-", "x-ms-", "x-oss-", "x-cos-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "sig", "signature", "se", "st", "sp", "sv", "sr", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv", "rscd",
		"policy", "key-pair-id", "expires", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid",
		"token", "access_token", "id_token", "auth", "authorization", "key", "api_key", "apikey", "api-key", "secret", "password", "sign", "hmac", "jwt":
		return true
	}
	return strings.Contains(name, "%")
}

// Compact returns a value without blanks, or as it is when it is no JSON.
func Compact(val []byte) string {
	if jsonwalk.IsNull(val) {
		return ""
	}
	var b bytes.Buffer
	if json.Compact(&b, val) != nil {
		return string(val)
	}
	return b.String()
}
