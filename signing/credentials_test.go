package signing

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bare is an environment without any credentials, but for files in dir.
func bare(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name) // t.Setenv puts it back
		}
	}
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return dir
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// amazon is what hands out credentials: the token service, the agent of a container
// and the metadata of a machine.
func amazon(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form := string(b)
		action, id := "AssumeRole", "ROLE"
		if strings.Contains(form, "Action=AssumeRoleWithWebIdentity") {
			action, id = "AssumeRoleWithWebIdentity", "WEB"
			if !strings.Contains(form, "WebIdentityToken=jwt") {
				w.WriteHeader(400)
				return
			}
		} else if !strings.Contains(r.Header.Get("Authorization"), "Credential=BASE/") || !strings.Contains(form, "RoleSessionName=spanwire") {
			w.WriteHeader(403)
			return
		}
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, id, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	document := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":%q,"SecretAccessKey":"s","Token":"t","Expiration":%q}`, id, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}
	}
	mux.HandleFunc("GET /container", document("CONTAINER"))
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
		_, _ = io.WriteString(w, "tok")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "role") })
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/role", document("MACHINE"))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

// Every place that AWS's own programs look at.
func TestSources(t *testing.T) {
	srv := amazon(t)
	f := func(name string, conf Config, id string, temporary bool, prepare func(t *testing.T, dir string)) {
		t.Run(name, func(t *testing.T) {
			dir := bare(t)
			prepare(t, dir)
			conf.Region = "us-east-1"
			src, err := newSource(conf)
			if err != nil {
				t.Fatal(err)
			}
			got, err := src(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessKeyID != id || got.CanExpire != temporary {
				t.Errorf("%s, which can expire: %v; want %s, %v", got.AccessKeyID, got.CanExpire, id, temporary)
			}
		})
	}
	env := func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "BASE")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	}
	f("environment", Config{}, "BASE", false, func(t *testing.T, _ string) { env(t) })
	f("shared file", Config{}, "SHARED", false, func(t *testing.T, dir string) {
		write(t, dir, "credentials", "[default]\naws_access_key_id = SHARED\naws_secret_access_key = s\n")
	})
	// A profile that was asked for goes before the environment.
	f("profile", Config{Profile: "team"}, "TEAM", false, func(t *testing.T, dir string) {
		env(t)
		write(t, dir, "credentials", "[team]\naws_access_key_id = TEAM\naws_secret_access_key = s\n")
	})
	f("profile with a process", Config{Profile: "p"}, "PROCESS", false, func(t *testing.T, dir string) {
		write(t, dir, "config", "[profile p]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n")
	})
	f("role", Config{RoleARN: "arn:aws:iam::123456789012:role/x"}, "ROLE", true, func(t *testing.T, _ string) {
		env(t)
		t.Setenv("AWS_ENDPOINT_URL_STS", srv.URL)
	})
	f("web identity", Config{}, "WEB", true, func(t *testing.T, dir string) {
		t.Setenv("AWS_ENDPOINT_URL_STS", srv.URL)
		t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, dir, "token", "jwt"))
	})
	f("container", Config{}, "CONTAINER", true, func(t *testing.T, _ string) {
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", srv.URL+"/container")
	})
	f("machine", Config{}, "MACHINE", true, func(t *testing.T, _ string) {
		t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
	})
}

// A file that changes is read again.
func TestSourceFollowsFile(t *testing.T) {
	dir := bare(t)
	src, err := newSource(Config{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src(t.Context()); err == nil {
		t.Error("there are credentials where none are")
	}
	for _, id := range []string{"ONE", "TWO"} {
		write(t, dir, "credentials", "[default]\naws_access_key_id = "+id+"\naws_secret_access_key = s\n")
		if got, err := src(t.Context()); err != nil || got.AccessKeyID != id {
			t.Errorf("%s, %v; want %s", got.AccessKeyID, err, id)
		}
	}
}

// What can be known to be wrong without asking anybody is said at once.
func TestNewSaysWhatIsMissing(t *testing.T) {
	dir := bare(t)
	if _, err := New(Config{Region: "us-east-1", Service: "bedrock", Profile: "none"}, quiet); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a profile that is not there: %v", err)
	}
	write(t, dir, "config", "[profile x]\nsource_profile = y\nrole_arn = arn:aws:iam::1:role/x\n")
	if _, err := New(Config{Region: "us-east-1", Service: "bedrock", Profile: "x"}, quiet); err == nil {
		t.Error("a profile that leads nowhere is accepted")
	}
}
