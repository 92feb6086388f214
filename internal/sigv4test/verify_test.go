package sigv4test

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// published is the key, the scope and the time of AWS's own test suite for
// Signature Version 4.
func published() Authority {
	return Authority{
		Region: "us-east-1", Service: "service",
		Keys: map[string]Key{"AKIDEXAMPLE": {Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}},
		Now:  time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC),
	}
}

func head(start, signature, signed string, more ...string) string {
	h := start + " HTTP/1.1\r\nHost:example.amazonaws.com\r\n"
	for _, m := range more {
		h += m + "\r\n"
	}
	return h + "X-Amz-Date:20150830T123600Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" +
		signed + ", Signature=" + signature + "\r\n\r\n"
}

// The signatures are those of the suite.
func TestPublishedSignatures(t *testing.T) {
	f := func(name, signature, start, signed, body string, more ...string) {
		t.Helper()
		if err := published().Verify(head(start, signature, signed, more...), []byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := published().Verify(head(start, strings.Repeat("0", 64), signed, more...), []byte(body)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s with another signature: %v", name, err)
		}
	}
	f("get-vanilla", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "GET /", "host;x-amz-date", "")
	f("get-relative", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "GET /example/..", "host;x-amz-date", "")
	f("get-utf8", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", "GET /\u1234", "host;x-amz-date", "")
	f("get-slash", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "GET //", "host;x-amz-date", "")
	f("get-vanilla-query-order-key-case", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", "GET /?Param2=value2&Param1=value1", "host;x-amz-date", "")
	f("get-header-value-trim", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", "GET /", "host;my-header1;my-header2;x-amz-date", "",
		"My-Header1: value1", `My-Header2: "a   b   c"`)
	f("post-vanilla", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "POST /", "host;x-amz-date", "")
	f("post-x-www-form-urlencoded", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a", "POST /", "content-type;host;x-amz-date", "Param1=value1",
		"Content-Type:application/x-www-form-urlencoded")
}

func TestRefusals(t *testing.T) {
	const good = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	vanilla := head("GET /", good, "host;x-amz-date")
	f := func(what, h, body string, want error, change func(*Authority)) {
		t.Helper()
		a := published()
		if change != nil {
			change(&a)
		}
		if err := a.Verify(h, []byte(body)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	f("another body", vanilla, "x", ErrSignature, nil)
	f("another path", strings.Replace(vanilla, "GET /", "GET /x", 1), "", ErrSignature, nil)
	f("another host", strings.Replace(vanilla, "Host:ex", "Host:x", 1), "", ErrSignature, nil)
	f("another method", strings.Replace(vanilla, "GET", "PUT", 1), "", ErrSignature, nil)
	f("a field that must be signed", strings.Replace(vanilla, "X-Amz-Date", "X-Amz-Other: 1\r\nX-Amz-Date", 1), "", ErrForm, nil)
	f("no Authorization", strings.Replace(vanilla, "Authorization", "Other", 1), "", ErrMissing, nil)
	f("another algorithm", strings.Replace(vanilla, "HMAC-SHA256", "HMAC-MD5", 1), "", ErrForm, nil)
	f("a token that nobody gave", strings.Replace(vanilla, "X-Amz-Date", "X-Amz-Security-Token: t\r\nX-Amz-Date", 1), "", ErrToken, nil)
	f("an unknown key", vanilla, "", ErrClient, func(a *Authority) { a.Keys = nil })
	f("too late", vanilla, "", ErrTime, func(a *Authority) { a.Now = a.Now.Add(6 * time.Minute) })
	f("too early", vanilla, "", ErrTime, func(a *Authority) { a.Now = a.Now.Add(-6 * time.Minute) })
	f("another service", vanilla, "", ErrSignature, func(a *Authority) { a.Service = "bedrock" })
	f("another secret", vanilla, "", ErrSignature, func(a *Authority) { a.Keys["AKIDEXAMPLE"] = Key{Secret: "x"} })
	f("another digest", strings.Replace(vanilla, "X-Amz-Date", "X-Amz-Content-Sha256: 0\r\nX-Amz-Date", 1), "", ErrForm, nil)
}
