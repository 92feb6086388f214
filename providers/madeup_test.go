package providers

import (
	"strings"
	"testing"
	"time"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/providers/testdata/telegraph"
)

// parrot is a made-up vendor: one row, in the place where all of them are.
var parrot = vendor{name: "parrot", base: "https://api.parrot.example", dialect: "openai", provider: "parrot", key: KeyBearer, hosts: []string{"*.parrot.example"}}

// telegraphRow is a made-up format: its folder is testdata/telegraph, and this its row.
var telegraphRow = dialect{
	name:        "telegraph",
	readRequest: telegraph.Dialect{}.ReadRequest,
	newReader:   func(x *llm.Exchange) Reader { return telegraph.Dialect{}.NewReader(x) },
	errorBody:   telegraph.Dialect{}.ErrorBody,
	paths:       []path{{suffix: "/telegrams"}},
}

// with adds rows until the test ends, as a change of the two tables would.
func with(t *testing.T, v vendor, d ...dialect) {
	t.Helper()
	vs, ds := vendors, dialects
	t.Cleanup(func() { vendors, dialects = vs, ds })
	vendors, dialects = append(vs[:len(vs):len(vs)], v), append(ds[:len(ds):len(ds)], d...)
}

// reading is a row of a table as the suite of dialects sees it.
func reading(tab *Table, row string) providerstest.Dialect {
	return providerstest.Dialect{
		ReadRequest: func(*llm.Call, *llm.Exchange) error { return nil },
		NewReader: func(x *llm.Exchange) providerstest.Reader {
			x.Provider = row
			return &byTable{tab, tab.Row(row).Observe(x)}
		},
	}
}

type byTable struct {
	tab *Table
	o   llm.Observer
}

func (b *byTable) Wrote(p []byte, at time.Time) { b.o.Wrote(p, at) }

func (b *byTable) Finish(c *llm.Call, x *llm.Exchange) error {
	own := *x
	own.Observer = b.o
	read, err := b.tab.Read(&own)
	*c = *read
	return err
}

func newTable(t *testing.T, entries ...Entry) *Table {
	t.Helper()
	tab, err := New(entries, "openai")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// A vendor is one row: it is routed to, takes its key, is recognised by its host and
// is read.
func TestMadeUpVendor(t *testing.T) {
	with(t, parrot)
	tab := newTable(t, Entry{Name: "parrot", APIKey: "k"}, Entry{Name: "mine", BaseURL: "https://eu.parrot.example"})
	row, target, err := tab.Route("POST", "/parrot/v1/chat/completions")
	if err != nil || row.Host != "api.parrot.example" || target != "/v1/chat/completions" || row.Set[0].Value != "Bearer k" {
		t.Fatalf("%+v %s %v", row, target, err)
	}
	if mine := tab.Row("mine"); mine.Provider != "parrot" || mine.Key != KeyBearer {
		t.Errorf("by its host: %+v", mine)
	}
	const said = `{"id":"p","model":"ara","choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	c, err := reading(tab, "parrot").Read(providerstest.Fixture{Target: target, Request: []byte(`{"model":"ara"}`)}.Exchange(), []byte(said))
	if err != nil || c.Provider != "parrot" || c.Kind != llm.KindLLM || c.ResponseModel != "ara" || c.Output[0].Parts[0].Content != "hello" {
		t.Errorf("%v %s", err, providerstest.Show(c))
	}
}

var telegrams = []providerstest.Fixture{
	{
		Name: "answer", Target: "/v1/telegrams", Request: []byte(`{"station":"dot","words":"Say hello.","urgency":0.5}`),
		Response: []byte("{\"said\":\"Hel\"}\n{\"said\":\"lo\"}\n{\"stop\":\"end\",\"no\":\"t-1\",\"station\":\"dot-2\",\"tariff\":{\"heard\":3,\"sent\":2}}\n"),
	},
	{
		Name: "fault", Target: "/v1/telegrams", Request: []byte(`{"station":"dot","words":"Say hello."}`),
		Response: []byte("{\"said\":\"Hel\"}\n{\"fault\":\"the wire broke\"}\n"),
	},
}

// A format is one folder and one row: it may be named in config, is read by any row
// at whose paths it is met, answers for the proxy in its own shape, and passes what
// every dialect must.
func TestMadeUpDialect(t *testing.T) {
	with(t, vendor{name: "postoffice", base: "https://telegraph.example", dialect: "telegraph", provider: "postoffice", key: KeyBearer}, telegraphRow)
	tab := newTable(t, Entry{Name: "own", BaseURL: "http://10.0.0.1", Dialect: "telegraph"}, Entry{Name: "stranger", BaseURL: "http://10.0.0.2"})
	for _, row := range []string{"postoffice", "own", "stranger"} {
		c, err := reading(tab, row).Read(telegrams[0].Exchange(), telegrams[0].Response)
		if err != nil || c.Kind != llm.KindLLM || c.RequestModel != "dot" || c.ResponseModel != "dot-2" || c.ResponseID != "t-1" ||
			c.Output[0].Parts[0].Content != "Hello" || c.FinishReasons[0] != "end" || c.Usage.Source != llm.UsageReported || c.FirstToken.IsZero() {
			t.Errorf("%s: %v %s", row, err, providerstest.Show(c))
		}
	}
	c, err := reading(tab, "own").Read(telegrams[1].Exchange(), telegrams[1].Response)
	if err != nil || c.ErrorType != "fault" || c.ErrorMessage != "the wire broke" || c.Output[0].Parts[0].Content != "Hel" {
		t.Errorf("%v %s", err, providerstest.Show(c))
	}
	if got := string(tab.Row("own").Error(502, "upstream_unreachable", "no answer")); got != `{"fault":"no answer"}` {
		t.Errorf("error body %s", got)
	}
	if _, err := New([]Entry{{Name: "x", BaseURL: "http://h", Dialect: "smoke"}}, ""); err == nil || !strings.Contains(err.Error(), "telegraph") {
		t.Errorf("%v does not name the dialects there are", err)
	}
	providerstest.Run(t, reading(tab, "own"), telegrams)
}
