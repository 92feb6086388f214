package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/sigv4test"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/signing"
)

const (
	awsSecret      = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	awsToken       = "FwoGZXIvYXdzEXAMPLETOKEN"
	converseAnswer = `{"metrics":{"latencyMs":3},"output":{"message":{"content":[{"text":"hi"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10}}`
)

// cloud is a provider that answers only those who have signed well.
type cloud struct {
	url, host string
	auth      sigv4test.Authority
	off       time.Duration // of its clock

	mu   sync.Mutex
	head string // of the last request
}

func (c *cloud) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head
}

func newCloud(t *testing.T, auth sigv4test.Authority) *cloud {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{url: "http://" + ln.Addr().String(), host: ln.Addr().String(), auth: auth}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer conn.Close(); c.serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); running.Wait() })
	return c
}

func (c *cloud) serve(conn net.Conn) {
	br := bufio.NewReader(conn)
	for {
		var head strings.Builder
		length := 0
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			}
			head.WriteString(line)
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(br, body); err != nil {
			return
		}
		c.mu.Lock()
		c.head = head.String()
		c.mu.Unlock()
		auth := c.auth
		auth.Now = time.Now().Add(c.off)
		status, kind, answer := "200 OK", "", converseAnswer
		if err := auth.Verify(head.String(), body); err != nil {
			status, kind, answer = "403 Forbidden", "x-amzn-ErrorType: "+strings.Fields(err.Error())[0]+"\r\n", fmt.Sprintf(`{"message":%q}`, err)
		}
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
			status, auth.Now.UTC().Format(http.TimeFormat), kind, len(answer), answer)
	}
}

func authority(token string) sigv4test.Authority {
	return sigv4test.Authority{
		Region: "eu-central-1", Service: "bedrock",
		Keys: map[string]sigv4test.Key{"AKIDEXAMPLE": {Secret: awsSecret, Token: token}},
	}
}

// awsEnvironment leaves nothing of AWS in the environment but what is given.
func awsEnvironment(t *testing.T, with ...string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name) // t.Setenv puts it back
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	for _, kv := range append([]string{"AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none, "AWS_EC2_METADATA_DISABLED=true"}, with...) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
}

func awsKeys(secret, token string) []string {
	return []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=" + token}
}

const awsRow = "providers: [{name: bedrock, base_url: '%s', aws: {region: eu-central-1, max_body_bytes: 64KiB}}]\n"

func (p *program) bedrock(t *testing.T, body io.Reader, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("POST", p.url+"/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse?X-Amz-Signature=old&a=%2F", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=CALLER/20200101/x/y/aws4_request, SignedHeaders=host, Signature=0")
	req.Header.Set("X-Amz-Date", "20200101T000000Z")
	req.Header.Set("X-Amz-Security-Token", "callers-token")
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

const converseBody = `{"messages":[{"role":"user","content":[{"text":"hello"}]}]}`

func TestSignsForBedrock(t *testing.T) {
	for _, token := range []string{"", awsToken} {
		awsEnvironment(t, awsKeys(awsSecret, token)...)
		c := newCloud(t, authority(token))
		p := start(t, fmt.Sprintf(awsRow, c.url)+"log: {level: debug}\n")
		for name, body := range map[string]io.Reader{
			"length":  strings.NewReader(converseBody),
			"chunked": struct{ io.Reader }{strings.NewReader(converseBody)},
			"empty":   nil,
		} {
			resp, text := p.bedrock(t, body, nil)
			if resp.StatusCode != 200 || text != converseAnswer {
				t.Errorf("%s, token %q: %d %s", name, token, resp.StatusCode, text)
			}
			if head := c.last(); strings.Contains(head, "CALLER") || strings.Contains(head, "callers-token") || strings.Contains(head, "X-Amz-Signature") || !strings.Contains(head, "?a=%2F ") {
				t.Errorf("%s: what the caller signed went out: %s", name, head)
			}
			call := p.calls.call(t, resp.Header.Get("X-Spanwire-Call-Id"))
			if in, ok := call.Usage.Input(); !ok || in != 7 || call.Attribution.Key == "" {
				t.Errorf("%s: recorded %+v", name, call)
			}
			if all := fmt.Sprintf("%+v", call); strings.Contains(all, "AKIDEXAMPLE") || strings.Contains(all, awsSecret) || strings.Contains(all, awsToken) {
				t.Errorf("a credential is in the record: %s", all)
			}
		}
		if resp, _ := p.bedrock(t, bytes.NewReader(make([]byte, 65<<10)), nil); resp.StatusCode != 413 {
			t.Errorf("a body past the bound: %d", resp.StatusCode)
		}
		p.stop(t)
		if log := p.err.String() + p.out.String(); strings.Contains(log, "AKIDEXAMPLE") || strings.Contains(log, awsSecret) || strings.Contains(log, awsToken) {
			t.Errorf("a credential is in the log: %s", log)
		}
	}
}

func TestWrongCredentials(t *testing.T) {
	awsEnvironment(t, awsKeys("another secret", "")...)
	c := newCloud(t, authority(""))
	p := start(t, fmt.Sprintf(awsRow, c.url))
	resp, text := p.bedrock(t, strings.NewReader(converseBody), nil)
	if resp.StatusCode != 403 || !strings.Contains(text, "InvalidSignatureException") || resp.Header.Get("X-Spanwire-Error") != "" {
		t.Errorf("the refusal does not come through: %d %s", resp.StatusCode, text)
	}
}

func TestNoCredentials(t *testing.T) {
	awsEnvironment(t)
	c := newCloud(t, authority(""))
	p := start(t, fmt.Sprintf(awsRow, c.url))
	resp, text := p.bedrock(t, strings.NewReader(converseBody), nil)
	if resp.StatusCode != 502 || resp.Header.Get("X-Spanwire-Error") != "upstream_credentials" || !strings.HasPrefix(text, `{"message":"cannot sign`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	eventually(t, "the log says why", func() bool { return strings.Contains(p.err.String(), "cannot get AWS credentials") })
}

// A clock that is off is refused once, and made up for after that.
func TestWrongClock(t *testing.T) {
	awsEnvironment(t, awsKeys(awsSecret, "")...)
	c := newCloud(t, authority(""))
	c.off = -time.Hour
	p := start(t, fmt.Sprintf(awsRow, c.url))
	for _, want := range []int{403, 200, 200} {
		if resp, text := p.bedrock(t, strings.NewReader(converseBody), nil); resp.StatusCode != want {
			t.Errorf("%d, want %d: %s", resp.StatusCode, want, text)
		}
	}
}

// What a caller has signed for the provider's host is relayed as it is, wherever
// the caller connects to.
func TestRelaysTheCallersSignature(t *testing.T) {
	awsEnvironment(t, awsKeys(awsSecret, awsToken)...)
	c := newCloud(t, authority(awsToken))
	caller, err := signing.New(signing.Config{Region: "eu-central-1", Service: "bedrock"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); caller.Run(ctx) }()
	defer func() { cancel(); <-done }()

	p := start(t, fmt.Sprintf("providers: [{name: bedrock, base_url: '%s'}]\n", c.url))
	sign := func(host string) func(*http.Request) {
		return func(req *http.Request) {
			for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
				req.Header.Del(name)
			}
			fields := "Host: " + host + "\r\nContent-Type: application/json\r\n"
			lines, err := caller.Sign(t.Context(), "POST", req.URL.RequestURI(), llm.Header(fields), sha256.Sum256([]byte(converseBody)))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range lines.All() {
				req.Header.Set(name, value)
			}
		}
	}
	if resp, text := p.bedrock(t, strings.NewReader(converseBody), sign(c.host)); resp.StatusCode != 200 {
		t.Errorf("signed for the provider: %d %s", resp.StatusCode, text)
	}
	if resp, text := p.bedrock(t, strings.NewReader(converseBody), sign(p.at.proxy)); resp.StatusCode != 403 {
		t.Errorf("signed for the proxy: %d %s", resp.StatusCode, text)
	}
}

// A reload keeps the credentials of rows that did not change.
func TestReloadKeepsCredentials(t *testing.T) {
	var asked atomic.Int64
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			awsSecret, awsToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	awsEnvironment(t, append(awsKeys("base", ""), "AWS_ENDPOINT_URL_STS="+sts.URL)...)
	c := newCloud(t, authority(awsToken))
	row := "  - {name: %s, dialect: bedrock, base_url: '" + c.url + "', aws: {region: eu-central-1, service: bedrock, role_arn: '%s'}}\n"
	one, two := "arn:aws:iam::123456789012:role/one", "arn:aws:iam::123456789012:role/two"
	file := writeConfig(t, "providers:\n"+fmt.Sprintf(row, "bedrock", one))
	p := startFile(t, file)
	works := func(want int64) {
		t.Helper()
		if resp, text := p.bedrock(t, strings.NewReader(converseBody), nil); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
		if n := asked.Load(); n != want {
			t.Errorf("asked for credentials %d times, want %d", n, want)
		}
	}
	works(1)
	change := func(text string) {
		t.Helper()
		replace(t, file, text)
		if err := p.reload(t); err != nil {
			t.Fatal(err)
		}
	}
	change("log: {level: warn}\nproviders:\n" + fmt.Sprintf(row, "bedrock", one))
	works(1)
	change("providers:\n" + fmt.Sprintf(row, "bedrock", two) + fmt.Sprintf(row, "other", two)) // one signer for both
	works(2)
	change("providers: [{name: bedrock, base_url: '" + c.url + "'}]\n")
	if resp, _ := p.bedrock(t, strings.NewReader(converseBody), nil); resp.StatusCode != 403 {
		t.Errorf("signed though the row is gone: %d", resp.StatusCode)
	}
}

func TestAWSRowsThatCannotWork(t *testing.T) {
	awsEnvironment(t)
	f := func(row, want string) {
		t.Helper()
		var out, errs output
		err := run(t.Context(), []string{"--check", "--config", writeConfig(t, "providers: ["+row+"]\n")}, settings{stdout: &out, stderr: &errs})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", row, err, want)
		}
	}
	f("{name: bedrock, aws: {}}", "region")
	f("{name: bedrock, aws: {region: us-east-1, secret: x}}", "unknown key \"secret\"")
	f("{name: bedrock, aws: {region: us-east-1, profile: none}}", "aws: read the AWS configuration")
	f("{name: mine, base_url: 'https://llm.example', aws: {region: us-east-1}}", "aws: service")
	f("{name: bedrock, headers: {x-amz-date: x}, aws: {region: us-east-1}}", "belongs to the signature")
	t.Setenv("SOME_KEY", "k")
	f("{name: bedrock, api_key: {env: SOME_KEY}, aws: {region: us-east-1}}", "not both")
}
