package recorder_test

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/recorder"
)

const (
	base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b64url = base62 + "-_"
	hexes  = "0123456789abcdef"
	caps   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// random returns n characters of an alphabet. Secrets are made when a test runs,
// so that none stands in the source.
func random(r *rand.Rand, n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

type planted struct {
	name, text string
	core       string // what must not survive
	shown      string // what does
}

func secrets(seed uint64) []planted {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []planted
	key := func(name, shown, mark string, n int, alphabet string) {
		core := random(r, n, alphabet)
		out = append(out, planted{name, mark + core, core, shown})
	}
	key("openai", "sk-", "sk"+"-", 48, base62)
	key("openai project", "sk-", "sk"+"-proj-", 156, b64url)
	key("openai service account", "sk-", "sk"+"-svcacct-", 120, b64url)
	key("anthropic", "sk-", "sk"+"-ant-api03-", 95, b64url)
	key("openrouter", "sk-", "sk"+"-or-v1-", 64, hexes)
	key("deepseek", "sk-", "sk"+"-", 32, hexes)
	key("google", "AIza", "AI"+"za", 35, b64url)
	key("groq", "gsk_", "gsk"+"_", 52, base62)
	key("xai", "xai-", "xai"+"-", 80, base62)
	key("aws", "AKIA", "AK"+"IA", 16, caps)
	key("aws session", "ASIA", "AS"+"IA", 16, caps)
	key("github", "ghp_", "ghp"+"_", 36, base62)
	key("github app", "ghs_", "ghs"+"_", 36, base62)
	key("github fine-grained", "gith", "github"+"_pat_", 82, base62+"_")
	key("realtime client secret", "ek_", "ek"+"_", 40, hexes)
	key("nvidia", "nvap", "nvapi"+"-", 64, b64url)
	key("perplexity", "pplx", "pplx"+"-", 48, base62)
	key("bearer", "Bearer ", "Bearer ", 40, base62)
	key("bearer in another case", "bearer ", "bearer ", 24, hexes)
	key("authorization", "Authorization: Bearer ", "Authorization: Bearer ", 6, base62)
	key("basic", "authorization: Basic ", "authorization: Basic ", 24, base62)
	key("query key", "?key=", "?key=", 20, base62)
	key("signature of a store", "&sig=", "&sig=", 44, base62)
	key("signature in JSON", `\u0026sig=`, `\u0026sig=`, 44, base62)
	key("aws signature", "X-Amz-Signature=", "X-Amz-Signature=", 64, hexes)
	key("aws token", "&X-Amz-Security-Token=", "&X-Amz-Security-Token=", 200, base62+"/+")
	key("field", "api-key: ", "api-key: ", 32, hexes)
	key("field in JSON", `"api_key": "`, `"api_key": "`, 32, hexes)

	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`))
	body := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"` + random(r, 20, base62) + `"}`))
	sign := random(r, 86, b64url)
	out = append(out, planted{"jwt", head + "." + body + "." + sign, body + "." + sign, "eyJ"})
	out = append(out, planted{"unsigned jwt", head + "." + body + ".", body, "eyJ"})
	for _, eol := range []string{"\n", `\n`, "\r\n"} {
		begin, end := "-----BEGIN RSA "+"PRIVATE KEY-----", "-----END RSA "+"PRIVATE KEY-----"
		core := random(r, 64, base62) + eol + random(r, 64, base62)
		out = append(out, planted{"pem", begin + eol + core + "==" + eol + end, core, ""})
		out = append(out, planted{"cut pem", begin + eol + core, core, ""})
	}
	return out
}

func TestScrubReplacesEverySecret(t *testing.T) {
	for seed := range uint64(200) {
		for _, s := range secrets(seed) {
			if s.text == "" {
				t.Fatalf("%s: no secret was made", s.name)
			}
			got, n := recorder.Scrub("before " + s.text + " after.")
			want := "before " + s.shown + "[redacted] after."
			if s.name == "cut pem" { // nothing says where it ends
				want = "before [redacted]."
			}
			if got != want || n != 1 {
				t.Errorf("%s (seed %d): got %q and %d, want %q and 1", s.name, seed, got, n, want)
			}
		}
	}
}

// A secret must not survive wherever it stands: inside a word, beside another,
// after the beginning of another.
func TestScrubReplacesSecretsInAnySurroundings(t *testing.T) {
	around := []string{
		"", " ", "a", "Z9", "ta", "-", "_", "=", ".", "\"", `\"`, `\n`, "\x00", "\xff\xfe", "日本", "https://h/p?", "?key=", "&sig=abcdefgh",
		"-----", "-----BEGIN ", "-----BEGIN " + "PRIVATE KEY-----\n", "Bearer ", "Bearer", "basic ", "eyJ", "eyJhbGciOiJIUzI1NiJ9.", "eyJhbGciOiJIUzI1NiJ9.eyJh.",
		"sk-", "sk-a", "sk-ant-", "AIza", "AKI", "AKIA", "gsk_", "g", "gh", "github_pat_", "{\"a\":\"", strings.Repeat("x", 5000), strings.Repeat("sk-", 50),
		"task-", "X-Amz-Signature=", "authorization: ", "-----END ", "-----END " + "PRIVATE KEY-----",
	}
	all := secrets(7)
	for _, s := range all {
		around = append(around, s.text)
	}
	for i, s := range all {
		for j, before := range around {
			checkGone(t, s, before, around[(i+j)%len(around)])
			checkGone(t, s, before, "")
			checkGone(t, s, "", before)
		}
	}
}

// checkGone fails when a secret survives between two texts. What stands in the
// surroundings as well proves nothing.
func checkGone(t *testing.T, s planted, before, after string) {
	t.Helper()
	got, n := recorder.Scrub(before + s.text + after)
	if n == 0 {
		t.Errorf("%s between %.40q and %.40q: not seen", s.name, before, after)
	}
	for _, core := range []string{s.core, s.core[len(s.core)/2:], s.core[:len(s.core)/2]} {
		if len(core) < 8 || strings.Contains(before, core) || strings.Contains(after, core) {
			continue
		}
		if strings.Contains(got, core) {
			t.Errorf("%s between %.40q and %.40q: %.20q… survives", s.name, before, after, core)
		}
	}
}

// Some marks are so short that base64 is full of them: they count only where a
// word begins.
func TestScrubReplacesShortMarksWhereAWordBegins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, mark := range []string{"hf" + "_", "r8" + "_"} {
		for _, before := range []string{"", " ", "=", "\"", "\n", `\n`, `\t`, "-", "/", "日"} {
			core := random(r, 36, base62)
			if got, _ := recorder.Scrub(before + mark + core + "."); got != before+mark+"[redacted]." {
				t.Errorf("%q: got %q", before+mark+core, got)
			}
		}
	}
	blob := random(r, 40, base62) + "hf_" + random(r, 40, base62)
	if got, n := recorder.Scrub(blob); n != 0 {
		t.Errorf("%q became %q", blob, got)
	}
}

func TestScrubLeavesOrdinaryTextAlone(t *testing.T) {
	for _, s := range []string{
		"", "a", "The bearer of bad news is basically a task-force member; risk-assessment-methodology-for-everyone.",
		"use sk-learn-pipeline-preprocessing and week_2024_report_11_summary_final_version",
		"subtask-2024-11-21-quarterly-report-final-version and desk-12345678901234567890",
		"task-3f2a9c1e-8b7d-4c6a-9e5f-1a2b3c4d5e6f was done, and task-3f2a9c1e-8b7d-4c6a-9e5f-1a2b3c4d5e6f-retry too",
		"sorted(xs, key=lambda x: x.value), primary_key=True, token=None, ?page=2&key=7",
		"Bearer authentication and bearer tokens are described below.",
		"ASIA is a continent. Jokes, BANANAS, I am. KIA makes cars. AIzawa is a name",
		"hf_model_name_llama_3_8b_instruct and r8_unorm and peek_at_the_next_character_1",
		"eyJ is how they begin. eyJhbGciOiJIUzI1NiJ9 alone is a header.",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----",
		"api_key = os.environ['OPENAI_API_KEY'], api-key: your-key-goes-here-please",
		"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT call_DdmO9pD3xa9XTPNJ32zg2hcA toolu_01T1x1fJ34qAmk2tNTrN7Up6",
		"| a | b |\n|-----|-----|\n", strings.Repeat("-", 500), strings.Repeat("_", 500), "日本語のテキスト", "\xff\xfe\x00",
		"https://host/xai-imgen/xai-tmp-imgen-cec8be61-b894-99a2-b650-ff214ecc8999.jpeg",
		"sk-" + strings.Repeat("*", 20) + "abcd", "Incorrect API key provided: sk-wrong****-key",
	} {
		if got, n := recorder.Scrub(s); got != s || n != 0 {
			t.Errorf("%q became %q (%d replaced)", s, got, n)
		}
	}
}

func TestScrubIsStable(t *testing.T) {
	for _, s := range secrets(3) {
		once, _ := recorder.Scrub("x " + s.text + " y")
		if twice, n := recorder.Scrub(once); twice != once || n != 0 {
			t.Errorf("%s: %q became %q", s.name, once, twice)
		}
	}
}

// Text made to be slow: a megabyte takes some 30 ms, and would take minutes if
// the work were not linear.
func TestScrubIsLinear(t *testing.T) {
	const size, most = 1 << 20, 10 * time.Second
	for _, unit := range []string{
		"sk-", "eyJ", "eyJ.", "eyJaaaaaaa.", "eyJaaaaaaaa.eyJaaaaaaaaa.", "-----BEGIN " + "PRIVATE KEY-----", "-----BEGIN " + "PRIVATE KEY-----\n", "-", "_", "=", "key=", "?key=",
		"?key=aaaaaaaa", "Bearer ", "bearer\t", "Bearer a1", "AKIA", "AIza", "gsk_", "github_pat_", "b", "B", "I", "J", "api-key: ", "sk-aA1bB2cC3dD4eE5fF6",
		"-----END ", "-----BEGIN " + "PRIVATE KEY----------END x", "&", "&amp;", `\u0026key=`,
	} {
		s := strings.Repeat(unit, size/len(unit))
		for _, s := range []string{s, s + "-----END " + "PRIVATE KEY-----"} {
			start := time.Now()
			got, _ := recorder.Scrub(s)
			if took := time.Since(start); took > most {
				t.Errorf("%q repeated took %v", unit, took)
			}
			if len(got) > 4*len(s) {
				t.Errorf("%q repeated grew from %d to %d bytes", unit, len(s), len(got))
			}
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("before ", " after", uint8(0), uint64(1))
	f.Add("?key=", "-----BEGIN ", uint8(9), uint64(2))
	f.Add("ta", strings.Repeat("a", 100), uint8(3), uint64(3))
	f.Add("eyJhbGciOiJIUzI1NiJ9.", ".x", uint8(31), uint64(4))
	f.Fuzz(func(t *testing.T, before, after string, which uint8, seed uint64) {
		all := secrets(seed)
		checkGone(t, all[int(which)%len(all)], before, after)
	})
}

func prose(n int) string {
	const text = "The quick brown fox jumps over the lazy dog, but before breakfast it reads the newspaper. " +
		"However, nobody knows what the fox reads there; Jane believes it is the weather - \"sunny\" (maybe). "
	return strings.Repeat(text, n/len(text)+1)[:n]
}

func BenchmarkScrub(b *testing.B) {
	code := strings.Repeat(`{"tool_name": "read_file", "file_path": "/src/my-app/index.ts", "max_lines": 200, "is_binary": false}, `, 41)[:4096]
	for _, c := range []struct{ name, text string }{
		{"prose 4KB", prose(4096)}, {"json 4KB", code}, {"prose 200KB", prose(200 << 10)}, {"id", "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"},
		{"one secret 4KB", prose(4000) + " " + secrets(1)[0].text},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				recorder.Scrub(c.text)
			}
		})
	}
}
