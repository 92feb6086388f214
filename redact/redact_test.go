package redact_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/redact"
)

func rules(action redact.Action, kinds ...string) redact.Config {
	m := map[string]redact.Action{}
	for _, k := range kinds {
		m[k] = action
	}
	return redact.Config{Rules: redact.Rules{Kinds: m}}
}

func newRedactor(t testing.TB, cfg redact.Config) (*redact.Redactor, *redact.Counts) {
	t.Helper()
	counts := redact.NewCounts(cfg)
	r, err := redact.New(cfg, []byte("a key of the test"), counts)
	if err != nil {
		t.Fatal(err)
	}
	return r, counts
}

func user(text string) *llm.Call {
	return &llm.Call{Input: []llm.Message{{Role: "user", Parts: []llm.Part{{Type: llm.PartText, Content: text}}}}}
}

// asked returns what becomes of a prompt.
func asked(t testing.TB, cfg redact.Config, text string) string {
	t.Helper()
	r, _ := newRedactor(t, cfg)
	c := user(text)
	r.Redact(c)
	return c.Input[0].Parts[0].Content
}

// Values are found in any surroundings, and nothing beside them. Each has a valid check
// digit and belongs to nobody: examples of the standards, or made up.
func TestWhatIsFound(t *testing.T) {
	all := rules(redact.Mask, "all")
	f := func(kind string, values ...string) {
		t.Helper()
		for _, v := range values {
			for _, around := range [][2]string{{"", ""}, {"Mine is ", "."}, {"(", ")"}, {`{"a": "`, `"}`}, {"x\n", "\ny"}, {`C:\\n`, ""}, {"é", "é"}, {"=", ";"}, {"<b>", "</b>"}, {"mailto:", "?x=1"}} {
				if kind != "email" && around[0] == "é" {
					continue // a letter: no word begins there
				}
				if kind == "email" && around[0] == "é" {
					continue // a letter of the address
				}
				want := around[0] + "[" + kind + "]" + around[1]
				if got := asked(t, all, around[0]+v+around[1]); got != want {
					t.Errorf("%q: %q, want %q", around[0]+v+around[1], got, want)
				}
			}
		}
	}
	f("email", "ada@example.com", "a.b-c+tag@sub.example.co.uk", "o'neil_1%x@ex-ample.org", "jörg@bücher.example", "USER@EXAMPLE.COM")
	f("phone", "+49 30 12345678", "+1 (212) 555-0123", "+442079460958", "(212) 555-0123", "212-555-0123", "212.555.0123", "1-212-555-0123", "06 12 34 56 78", "030 12345678", "0049 30 1234567", "020 7946 0958", "0171/1234567")
	f("card", "4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "3782 822463 10005", "6011000990139424", "2223003122003222")
	f("iban", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB29 NWBK 6016 1331 9268 19", "FR1420041010050500013M02606", "NO9386011117947")
	f("national_id", "078-05-1120", "AB123456C", "AB 12 34 56 C", "12345678Z", "12345678-Z", "X1234567L", "RSSMRA85T10A562S", "2 55 08 14 168 025 38",
		"529.982.247-25", "52998224725", "44051401359", "86095742719", "2341 2341 2346", "811228-9874", "11010519491231002X", "440524188001010014")
	f("ip", "203.0.113.7", "2001:db8::8a2e:370:7334", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "::ffff:203.0.113.7")
}

// What only looks like it stays.
func TestWhatStays(t *testing.T) {
	all := rules(redact.Mask, "all")
	for _, s := range []string{
		"", "hello", "a@b", "@handle", "user@localhost", "x@1.2", "foo@bar.1x", "git@:repo", "a@.com", "@@@", "f(x)@y",
		"4111111111111112", "1234567890123456", "0000000000000000", "41111111111111111111111", "order 4111-1111-1111-1112",
		"2026-11-21", "12:34:56", "12:34:56.789", "2026-11-21T07:12:13Z", "20261121071213", "1700000000", "1700000000000", "3.14159265358979", "1e10",
		"v1.2.3", "1.2.3", "256.1.1.1", "1.2.3.4.5", "0.0.0.0", "127.0.0.1", "::", "::1", "std::vector", "a::b", "Foo::Bar", "12::", "de:ad:be:ef",
		"DE89370400440532013001", "XX89370400440532013000", "DEADBEEF", "DE12", "GB29 NWBK 6016 1331 9268",
		"000-12-3456", "666-12-3456", "123-00-4567", "987-65-4321", "12345678A", "AB123456E", "529.982.247-26", "52998224726", "RSSMRA85T10A562T",
		"550e8400-e29b-41d4-a716-446655440000", "call_4111111111111111x", "chatcmpl-9aB2", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"pages 10-20", "1, 2, 3, 4", "100 200 300 400", "1 000 000 000", "0.123456789", "999-999", "Room 0123", "+1", "1+1=2", "a+b", "00 00 00 00 00 00",
	} {
		if got := asked(t, all, s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestActions(t *testing.T) {
	const text = "Ada (ada@example.com) and ADA@example.com, 4111 1111 1111 1111"
	cfg := redact.Config{Rules: redact.Rules{Kinds: map[string]redact.Action{"email": redact.Hash, "card": redact.Drop}}}
	got := asked(t, cfg, text)
	parts := strings.FieldsFunc(got, func(r rune) bool { return strings.ContainsRune(" (),", r) })
	if len(parts) != 4 || parts[1] != parts[3] || !strings.HasPrefix(parts[1], "[email:") || len(parts[1]) != len("[email:0123456789abcdef]") {
		t.Errorf("%q: the same address must have the same hash, and the card be gone", got)
	}
	r, err := redact.New(cfg, []byte("another key"), redact.NewCounts(cfg))
	if err != nil {
		t.Fatal(err)
	}
	c := user(text)
	r.Redact(c)
	if c.Input[0].Parts[0].Content == got {
		t.Error("the hash does not depend on the key")
	}
	// The same value in other forms has the same hash.
	h := rules(redact.Hash, "all")
	for _, pair := range [][2]string{
		{"4111 1111 1111 1111", "4111-1111-1111-1111"}, {"DE89 3704 0044 0532 0130 00", "DE89370400440532013000"},
		{"+49 30 12345678", "004930/12345678"}, {"529.982.247-25", "52998224725"}, {"2001:DB8::8a2e", "2001:db8::8A2E"},
	} {
		if a, b := asked(t, h, pair[0]), asked(t, h, pair[1]); a != b || !strings.Contains(a, ":") {
			t.Errorf("%q: %s, %q: %s", pair[0], a, pair[1], b)
		}
	}
}

// In JSON each string is looked through as it reads, and the JSON stays JSON.
func TestJSONStaysJSON(t *testing.T) {
	r, _ := newRedactor(t, rules(redact.Mask, "all"))
	f := func(in, want string) {
		t.Helper()
		c := &llm.Call{Output: []llm.Message{{Parts: []llm.Part{{Type: llm.PartToolCall, Arguments: in}}}}}
		r.Redact(c)
		got := c.Output[0].Parts[0].Arguments
		if got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, want)
		}
		if json.Valid([]byte(in)) && !json.Valid([]byte(got)) {
			t.Errorf("%s\nis no JSON any more: %s", in, got)
		}
	}
	f(`{"to":"ada@example.com","n":1}`, `{"to":"[email]","n":1}`)
	f(`{"to":"ada\u0040example.com \"x\""}`, `{"to":"[email] \"x\""}`)
	f(`{"card":4111111111111111,"amount":12.5,"at":1700000000}`, `{"card":"[card]","amount":12.5,"at":1700000000}`)
	f(`{"ada@example.com":["\n+49 30 12345678\t"]}`, `{"[email]":["\n[phone]\t"]}`)
	f(`{"body":"{\"to\":\"ada@example.com\",\"c\":4111111111111111}"}`, `{"body":"{\"to\":\"[email]\",\"c\":\"[card]\"}"}`)
	f(`{"a":"b\\","c":"<ada@example.com>"}`, `{"a":"b\\","c":"<[email]>"}`)
	f(`{"nothing":"\u00e9 here","x":[1,2,-3e5]}`, `{"nothing":"\u00e9 here","x":[1,2,-3e5]}`)
	f(`"ada@example.com"`, `"[email]"`)
	f(`[4111111111111111]`, `["[card]"]`)
	f(`{"cut":"ada@example.com","and`, `{"cut":"[email]","and`)
	f(`[note] call +49 30 12345678`, `[note] call [phone]`)

	drop, _ := newRedactor(t, rules(redact.Drop, "all"))
	c := &llm.Call{Output: []llm.Message{{Parts: []llm.Part{{Type: llm.PartToolCall, Arguments: `{"a":4111111111111111,"b":"to ada@example.com"}`}}}}}
	drop.Redact(c)
	if got := c.Output[0].Parts[0].Arguments; got != `{"a":null,"b":"to "}` {
		t.Errorf("dropped: %s", got)
	}
}

// full has the same address in every text of a call.
func full() *llm.Call {
	const x = "ada@example.com"
	part := func(kind string) []llm.Part {
		return []llm.Part{{Type: kind, Content: x, Name: "f", Arguments: `{"a":"` + x + `"}`, Response: x, URI: "https://h/?u=" + x}}
	}
	return &llm.Call{
		System: part(llm.PartText), Input: []llm.Message{{Role: "user", Name: x, Parts: part(llm.PartText)}, {Role: "tool", Parts: part(llm.PartToolCallResponse)}},
		Output: []llm.Message{{Parts: append(part(llm.PartReasoning), part(llm.PartToolCall)...)}},
		Tools:  []llm.Tool{{Name: "f", Description: x, Parameters: `{"description":"` + x + `"}`}}, OutputSchema: `{"description":"` + x + `"}`,
		ErrorMessage: x, Problems: []string{x}, Run: &llm.Run{Inferred: []llm.Inferred{{Parts: part(llm.PartToolCall)}}},
		Attribution: llm.Attribution{User: x, Session: x, Tags: []string{x}, Metadata: []llm.Attr{{Key: "k", Value: x}}},
		Attrs:       []llm.Attr{{Key: "openai.request.user", Value: x}, {Key: "list", Value: []string{"a", x}}},
	}
}

func in(t testing.TB, c *llm.Call) int {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "ada@example.com")
}

func TestPlaces(t *testing.T) {
	whole := in(t, full())
	cfg := rules(redact.Mask, "email")
	left := map[string]int{}
	for _, place := range []string{redact.Prompts, redact.Answers, redact.ToolArguments, redact.Metadata} {
		cfg.In = []string{place}
		r, _ := newRedactor(t, cfg)
		c := full()
		r.Redact(c)
		left[place] = whole - in(t, c)
	}
	if n := left[redact.Prompts] + left[redact.Answers] + left[redact.ToolArguments] + left[redact.Metadata]; n != whole {
		t.Errorf("the places hold %v of %d values", left, whole)
	}
	for place, n := range left {
		if n < 4 {
			t.Errorf("%s: %d values", place, n)
		}
	}
	cfg.In = nil
	r, _ := newRedactor(t, cfg)
	c := full()
	r.Redact(c)
	if got := in(t, c); got != left[redact.Metadata] {
		t.Errorf("by default %d values are left, want the %d of metadata", got, left[redact.Metadata])
	}
}

func TestTeamsAndCounts(t *testing.T) {
	cfg := rules(redact.Mask, "email")
	cfg.Teams = map[string]redact.Rules{
		"legal": {Kinds: map[string]redact.Action{"all": redact.Drop}, Custom: []redact.Custom{{Kind: "matter", Pattern: `M-\d{4}`}}},
		"open":  {Kinds: map[string]redact.Action{}},
	}
	r, counts := newRedactor(t, cfg)
	const text = "ada@example.com, 203.0.113.7, M-1234, ada@example.com"
	f := func(team, want string, attrs ...llm.Attr) {
		t.Helper()
		c := user(text)
		c.Attribution.Team = team
		r.Redact(c)
		if got := c.Input[0].Parts[0].Content; got != want {
			t.Errorf("%s: %q, want %q", team, got, want)
		}
		if fmt.Sprint(c.Attrs) != fmt.Sprint(attrs) {
			t.Errorf("%s: %v, want %v", team, c.Attrs, attrs)
		}
	}
	f("", "[email], 203.0.113.7, M-1234, [email]", llm.Attr{Key: "spanwire.redacted.email", Value: int64(2)})
	f("legal", ", , [matter], ", llm.Attr{Key: "spanwire.redacted.email", Value: int64(2)}, llm.Attr{Key: "spanwire.redacted.ip", Value: int64(1)}, llm.Attr{Key: "spanwire.redacted.matter", Value: int64(1)})
	f("open", text)
	if counts.Get("email") != 4 || counts.Get("ip") != 1 || counts.Get("matter") != 1 || counts.Get("card") != 0 {
		t.Errorf("counts: email %d, ip %d, matter %d", counts.Get("email"), counts.Get("ip"), counts.Get("matter"))
	}
}

// Patterns of users and kinds that overlap hide all of both.
func TestOverlaps(t *testing.T) {
	cfg := rules(redact.Mask, "email")
	cfg.Custom = []redact.Custom{{Kind: "name", Pattern: `Ada \w+`}, {Kind: "word", Pattern: `example`}, {Kind: "empty", Pattern: `z+`}}
	for in, want := range map[string]string{
		"Ada ada@example.com!": "[name]!", "ada@example.com": "[email]", "an example": "an [word]", "Ada L": "[name]", "zz": "[empty]",
	} {
		if got := asked(t, cfg, in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	f := func(cfg redact.Config, want ...string) {
		t.Helper()
		err := cfg.Validate(false)
		if err == nil {
			t.Errorf("%+v: no error", cfg)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %q does not say %q", cfg, err, w)
			}
		}
	}
	f(rules(redact.Mask, "e-mail"), "kinds", "e-mail", "national_id")
	f(rules("shred", "email"), "shred", "mask, hash, drop")
	f(rules(redact.Hash, "email"), "key")
	custom := func(c redact.Custom) redact.Config {
		return redact.Config{Teams: map[string]redact.Rules{"legal": {Custom: []redact.Custom{c}}}}
	}
	f(custom(redact.Custom{Kind: "x", Pattern: `(`}), "teams: legal", "custom[0]", "pattern")
	f(custom(redact.Custom{Kind: "x", Pattern: `a*`}), "no text at all")
	f(custom(redact.Custom{Kind: "email", Pattern: `a`}), "kind")
	f(custom(redact.Custom{Kind: "A b", Pattern: `a`}), "kind")
	f(custom(redact.Custom{Kind: "x", Pattern: `a`, Action: "no"}), "action")
	f(custom(redact.Custom{Kind: "x", Pattern: `a`, Action: redact.Hash}), "key")
	f(redact.Config{Rules: redact.Rules{In: []string{"everywhere"}}}, "everywhere", "tool_arguments")
	if r, err := redact.New(redact.Config{}, nil, nil); err != nil || r != nil {
		t.Errorf("nothing to look for: %v, %v", r, err)
	}
	var none *redact.Redactor
	none.Redact(user("ada@example.com"))
}

// Time is linear in any text: each unit is what a kind begins with. A quarter of a
// megabyte takes some 5 ms, and would take minutes if it were not.
func TestTimeIsLinear(t *testing.T) {
	const size, most = 1 << 18, 10 * time.Second
	r, _ := newRedactor(t, rules(redact.Mask, "all"))
	for _, unit := range []string{"a", "@", "a@", "1", "1 ", "4111 ", ":", "1:", "a:", "DE89 ", "AB12", "+", "(1", "0 0", ".", "a.", "1.", "\"", "\\", "{\"a\":1,", "é@é."} {
		began := time.Now()
		r.Redact(user(strings.Repeat(unit, size/len(unit))))
		if took := time.Since(began); took > most {
			t.Errorf("%q repeated took %v", unit, took)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"ada@example.com", `{"a":"ada\u0040example.com"}`, "DE89 3704 0044 0532 0130 00", "+1 (212) 555-0123", "2001:db8::1", "AB123456C", "[1,2", `{"a":4111111111111111}`, "é@é.éé"} {
		f.Add(s)
	}
	mask, _ := newRedactor(f, rules(redact.Mask, "all"))
	f.Fuzz(func(t *testing.T, s string) {
		c := user(s)
		c.Input[0].Parts[0].Arguments = s
		mask.Redact(c)
		p := c.Input[0].Parts[0]
		if strings.IndexByte(`{["`, (strings.TrimLeft(s, " \t\r\n") + "x")[0]) >= 0 && json.Valid([]byte(s)) && !json.Valid([]byte(p.Arguments)) {
			t.Fatalf("%q is no JSON any more: %q", s, p.Arguments)
		}
		if len(c.Attrs) == 0 && p.Content != s {
			t.Fatalf("%q became %q and nothing was counted", s, p.Content)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	prose := strings.Repeat("The harbour was quiet when the first boats came back at 7:30, and nobody had counted the 1,204 nets since Tuesday. ", 1800)[:200<<10]
	mixed := strings.Repeat(`{"id": 48213, "name": "Ada", "email": "ada@example.com", "phone": "+49 30 12345678", "at": "2026-11-21T07:12:13Z"} `, 1800)[:200<<10]
	for _, bench := range []struct {
		name, text string
		cfg        redact.Config
	}{
		{"off", prose, redact.Config{}},
		{"prose", prose, rules(redact.Mask, "all")},
		{"records", mixed, rules(redact.Mask, "all")},
		{"records hashed", mixed, rules(redact.Hash, "all")},
		{"a pattern", prose, redact.Config{Rules: redact.Rules{Custom: []redact.Custom{{Kind: "id", Pattern: `\bEMP-\d{6}\b`}}}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r, _ := newRedactor(b, bench.cfg)
			b.SetBytes(int64(len(bench.text)))
			b.ReportAllocs()
			for b.Loop() {
				r.Redact(user(bench.text))
			}
		})
	}
}
