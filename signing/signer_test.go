package signing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/goleak"

	"github.com/spanwire/spanwire/internal/sigv4test"
	"github.com/spanwire/spanwire/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keyID  = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	token  = "session/token+with=signs"
)

var quiet = slog.New(slog.DiscardHandler)

func authority(service, token string) sigv4test.Authority {
	return sigv4test.Authority{
		Region: "us-east-1", Service: service, Now: time.Now(),
		Keys: map[string]sigv4test.Key{keyID: {Secret: secret, Token: token}},
	}
}

// holding is a signer that has credentials.
func holding(service string, cr aws.Credentials) *Signer {
	s := newSigner(Config{Region: "us-east-1", Service: service}, nil, quiet)
	s.held.Store(&held{Credentials: cr})
	close(s.tried)
	return s
}

func static(token string) aws.Credentials {
	return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: token}
}

// signed is the head as it goes out.
func signed(t testing.TB, s *Signer, method, target, fields, body string) string {
	t.Helper()
	lines, err := s.Sign(t.Context(), method, target, llm.Header(fields), sha256.Sum256([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	return method + " " + target + " HTTP/1.1\r\n" + fields + string(lines) + "\r\n"
}

const host = "Host: bedrock-runtime.us-east-1.amazonaws.com\r\n"

func TestSignaturesAreGood(t *testing.T) {
	f := func(target, fields, body string) {
		t.Helper()
		for _, tok := range []string{"", token} {
			s := holding("bedrock", static(tok))
			h := signed(t, s, "POST", target, fields, body)
			if err := authority("bedrock", tok).Verify(h, []byte(body)); err != nil {
				t.Errorf("%s: %v", target, err)
			}
			if err := authority("bedrock", tok).Verify(h, []byte(body+" ")); err == nil {
				t.Errorf("%s: another body passes", target)
			}
		}
	}
	// As SDKs send a model's id, and as people type it.
	f("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse", host, "{}")
	f("/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse-stream", host, "{}")
	// ARNs, escaped whole, in part and not at all.
	f("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/invoke", host, "{}")
	f("/model/arn:aws:bedrock:us-east-1:123456789012:provisioned-model%2fabc123/invoke", host, "{}")
	f("/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0/invoke", host, "{}")
	// Paths that are normalised.
	f("/", host, "")
	f("//model//m/./invoke", host, "")
	f("/model/x/../m/invoke/", host, "")
	f("/../..", host, "")
	f("/model/a/.", host, "")
	f("/model/\u1234~!$&'()*+,;=@%25", host, "")
	// Queries: order, repeats, empty values, escapes.
	f("/foundation-models?byProvider=anthropic&byOutputModality=TEXT", host, "")
	f("/x?b=2&a=%2F%3A&b=1&c&d=&e=%20", host, "")
	// Fields: those that are signed, those that are not, blanks and repeats.
	f("/x", host+"Content-Type:   application/json  \r\nUser-Agent: curl\r\nAccept: */*\r\n", "{}")
	f("/x", host+"X-Amzn-Bedrock-GuardrailIdentifier: g  1\r\nx-amz-x: 1\r\nX-AMZ-X: 2\r\nX-Amzn-Trace-Id: Root=1\r\namz-sdk-request: attempt=1\r\n", "{}")
	f("/x", "Content-Type: a\r\nhost: 127.0.0.1:4711\r\n", "{}")
	f("/x", "Host: h:443\r\n", "")
	f("/x", host, strings.Repeat("0123456789abcdef", 1<<16))
}

func TestSignsForItsService(t *testing.T) {
	s := holding("bedrock-mantle", static(""))
	h := signed(t, s, "POST", "/v1/chat/completions", host, "{}")
	if err := authority("bedrock-mantle", "").Verify(h, []byte("{}")); err != nil {
		t.Error(err)
	}
	if err := authority("bedrock", "").Verify(h, []byte("{}")); !errors.Is(err, sigv4test.ErrSignature) {
		t.Errorf("another service: %v", err)
	}
}

// What must not be signed may change on the way.
func TestOtherFieldsMayChange(t *testing.T) {
	s := holding("bedrock", static(""))
	h := signed(t, s, "POST", "/x", host+"Accept: a\r\nX-Amzn-Trace-Id: Root=1\r\n", "{}")
	for _, change := range [][2]string{{"Accept: a\r\n", ""}, {"Root=1", "Root=2"}, {"Host:", "Via: 1.1 p\r\nHost:"}} {
		if err := authority("bedrock", "").Verify(strings.Replace(h, change[0], change[1], 1), []byte("{}")); err != nil {
			t.Errorf("%q: %v", change, err)
		}
	}
}

func TestWrongSecretIsRefused(t *testing.T) {
	s := holding("bedrock", aws.Credentials{AccessKeyID: keyID, SecretAccessKey: "other"})
	if err := authority("bedrock", "").Verify(signed(t, s, "GET", "/", host, ""), nil); !errors.Is(err, sigv4test.ErrSignature) {
		t.Error(err)
	}
}

// A clock that is wrong is refused once; what AWS tells of its own makes up for it.
func TestLearnsSkew(t *testing.T) {
	s := holding("bedrock", static(""))
	for _, off := range []time.Duration{time.Hour, -20 * time.Minute, 0} {
		there := authority("bedrock", "")
		there.Now = there.Now.Add(off)
		h := signed(t, s, "GET", "/", host, "")
		if err := there.Verify(h, nil); !errors.Is(err, sigv4test.ErrTime) {
			t.Errorf("off by %v: %v", off, err)
		}
		s.Refused(llm.Header("x-amzn-errortype: InvalidSignatureException:\r\nDate: " + there.Now.UTC().Format(http.TimeFormat) + "\r\n"))
		if err := there.Verify(signed(t, s, "GET", "/", host, ""), nil); err != nil {
			t.Errorf("off by %v, and told: %v", off, err)
		}
	}
	s.Refused(llm.Header("Date: yesterday\r\n"))
	s.Refused(nil)
	if err := authority("bedrock", "").Verify(signed(t, s, "GET", "/", host, ""), nil); err != nil {
		t.Errorf("after an answer without a date: %v", err)
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := newSigner(Config{Region: "us-east-1", Service: "bedrock"}, func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no EC2 IMDS role found")
		}, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Sign(ctx, "GET", "/", nil, [32]byte{}); !errors.Is(err, errLate) {
			t.Errorf("before anything was asked for: %v", err)
		}
		stop := running(t, s)
		synctest.Wait()
		if _, err := s.Sign(t.Context(), "GET", "/", nil, [32]byte{}); !errors.Is(err, errNone) || strings.Contains(err.Error(), "IMDS") {
			t.Errorf("without credentials: %v", err)
		}
		stop()
		if n := strings.Count(log.String(), "IMDS"); n != 1 {
			t.Errorf("the log names the reason %d times: %s", n, log.String())
		}
	})
}

func running(t *testing.T, s *Signer) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	return func() { cancel(); <-done }
}

// Temporary credentials are renewed before they end, and used until then.
func TestRenewsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var broken atomic.Bool
		s := newSigner(Config{Region: "us-east-1", Service: "bedrock"}, func(context.Context) (aws.Credentials, error) {
			if broken.Load() {
				return aws.Credentials{}, errors.New("down")
			}
			n++
			return aws.Credentials{AccessKeyID: fmt.Sprint("K", n), SecretAccessKey: "s", CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
		}, quiet)
		stop := running(t, s)
		defer stop()
		uses := func(want string) {
			t.Helper()
			synctest.Wait()
			lines, err := s.Sign(t.Context(), "GET", "/", llm.Header(host), [32]byte{})
			if got := fmt.Sprint(string(lines), err); !strings.Contains(got, want) {
				t.Errorf("at %v: %q, want %s", time.Now(), got, want)
			}
		}
		uses("Credential=K1/")
		time.Sleep(54 * time.Minute)
		uses("Credential=K1/")
		time.Sleep(2 * time.Minute)
		uses("Credential=K2/")

		broken.Store(true)
		time.Sleep(58 * time.Minute)
		uses("Credential=K2/") // still good
		time.Sleep(5 * time.Minute)
		uses(errExpired.Error())
		broken.Store(false)
		time.Sleep(2 * time.Minute)
		uses("Credential=K3/")

		// AWS says that they are no longer good.
		time.Sleep(leastWait)
		s.Refused(llm.Header("x-amzn-errortype: ExpiredTokenException:http://internal.amazon.com/\r\n"))
		uses("Credential=K4/")
		s.Refused(llm.Header("x-amzn-errortype: ExpiredTokenException\r\n"))
		uses("Credential=K4/") // not at once again
		time.Sleep(leastWait)
		uses("Credential=K5/")
		s.Refused(llm.Header("x-amzn-errortype: AccessDeniedException\r\n"))
		time.Sleep(leastWait)
		uses("Credential=K5/")
	})
}

// Keys that never expire are looked up again: somebody may have changed the file.
func TestRereadsStaticKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := newSigner(Config{Region: "us-east-1", Service: "bedrock"}, func(context.Context) (aws.Credentials, error) {
			n++
			return static(""), nil
		}, quiet)
		stop := running(t, s)
		defer stop()
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if n != 4 {
			t.Errorf("asked %d times in 16 minutes, want 4", n)
		}
	})
}

// A source that hangs costs its time and no more.
func TestSlowSourceIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(Config{Region: "us-east-1", Service: "bedrock"}, func(ctx context.Context) (aws.Credentials, error) {
			<-ctx.Done()
			return aws.Credentials{}, ctx.Err()
		}, quiet)
		stop := running(t, s)
		defer stop()
		if _, err := s.Sign(t.Context(), "GET", "/", nil, [32]byte{}); !errors.Is(err, errNone) {
			t.Error(err)
		}
	})
}

func TestValidate(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		err := c.Validate()
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f(Config{Region: "eu-central-1", RoleARN: "arn:aws-cn:iam::1:role/x"}, "")
	f(Config{}, "region")
	f(Config{Region: "us-east-1\r\n"}, "region")
	f(Config{Region: "us-east-1", Service: "a/b"}, "service")
	f(Config{Region: "us-east-1", RoleARN: "role"}, "role_arn")
	f(Config{Region: "us-east-1", MaxBodyBytes: -1}, "max_body_bytes")
	if _, err := New(Config{Region: "us-east-1"}, quiet); err == nil {
		t.Error("a signer for no service was made")
	}
	if got := (Config{}).Body(); got != DefaultMaxBody {
		t.Errorf("bodies of %d bytes", got)
	}
}

func FuzzSign(f *testing.F) {
	f.Add("/model/a%3A0/invoke", "application/json", "1", []byte("{}"))
	f.Add("//a/../b/.", " a  b ", "\t", []byte(nil))
	s := holding("bedrock", static(token))
	f.Fuzz(func(t *testing.T, path, media, value string, body []byte) {
		path, media, value = plain(path, "? "), plain(media, ""), plain(value, "")
		if path = strings.TrimLeft(path, "/"); strings.TrimSpace(value) == "" {
			value = "x"
		}
		fields := host + "Content-Type: " + media + "\r\nX-Amz-Value: " + value + "\r\n"
		h := signed(t, s, "POST", "/"+path, fields, string(body))
		if err := authority("bedrock", token).Verify(h, body); err != nil {
			t.Errorf("%q: %v", h, err)
		}
	})
}

// plain leaves out what cannot stand in a head.
func plain(s, without string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(without, r) {
			return -1
		}
		return r
	}, s)
}

func BenchmarkSign(b *testing.B) {
	s := holding("bedrock", static(token))
	body := sha256.Sum256(nil)
	fields := llm.Header(host + "Content-Type: application/json\r\nUser-Agent: x\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(b.Context(), "POST", "/model/anthropic.claude-v1%3A0/converse", fields, body); err != nil {
			b.Fatal(err)
		}
	}
}
