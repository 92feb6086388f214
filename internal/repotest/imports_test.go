package repotest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A pkg is one row of the import table.
type pkg struct {
	// level is the package's floor in the star: an import of ours always goes to
	// a lower one, so two packages of one floor never know each other.
	level int
	// ours lists what non-test files may import of this module.
	ours []string
}

// anyDialect stands for every folder of providers.
const anyDialect = "providers/*"

// listedAs returns the name that a package has in the tables.
func listedAs(dir string) string {
	if name, ok := strings.CutPrefix(dir, "providers/"); ok && !strings.Contains(name, "/") {
		return anyDialect
	}
	return dir
}

// table is the star around llm: docs/adr/0002-star-layout.md. A new edge or a
// new package is one line here, with its reason in the commit.
var table = map[string]pkg{
	"llm": {level: 0},

	"attribution": {level: 1, ours: []string{"llm"}},
	// Encryption of what is kept on disk, for the journal and for the store.
	"internal/sealed": {level: 1},
	// A call as bytes, for the journal and for the store.
	"internal/callrecord": {level: 1, ours: []string{"llm"}},
	"journal":             {level: 2, ours: []string{"llm", "internal/callrecord", "internal/sealed"}},
	"pricing":             {level: 1, ours: []string{"llm"}},
	"redact":              {level: 1, ours: []string{"llm"}},
	"runs":                {level: 1, ours: []string{"llm"}},
	"tokenizer":           {level: 1, ours: []string{"llm"}},
	"internal/encoding":   {level: 1},
	"internal/sse":        {level: 1},
	// Messages of a WebSocket that passes by: several dialects have a realtime API.
	"internal/websocket": {level: 1},
	// One copy of what comes again with every call: reading would make one each time.
	"internal/canon": {level: 0},
	// What every dialect does alike: walking JSON in place, taking in a body, reading
	// errors, and the parts of messages that are no text.
	"internal/jsonwalk": {level: 1, ours: []string{"internal/canon"}},
	"internal/content":  {level: 2, ours: []string{"llm", "internal/jsonwalk"}},
	"internal/apierror": {level: 2, ours: []string{"internal/jsonwalk"}},
	"internal/intake":   {level: 3, ours: []string{"llm", "internal/content", "internal/encoding", "internal/jsonwalk", "internal/sse"}},
	// AWS event streams, which bedrock alone speaks, and what the readers of several
	// dialects build on: parameters by table, messages piece by piece.
	"internal/eventstream": {level: 1},
	"internal/params":      {level: 2, ours: []string{"llm", "internal/canon", "internal/jsonwalk"}},
	"internal/draft":       {level: 4, ours: []string{"llm", "internal/intake", "internal/jsonwalk"}},
	// What providers say that a call cost: gateways tell it in every dialect.
	"internal/toldcost": {level: 1, ours: []string{"llm"}},
	"internal/fakellm":  {level: 1},
	"internal/repotest": {level: 1},

	// What the relay asks to sign requests to AWS: the owner of AWS's library.
	"signing": {level: 1, ours: []string{"llm"}},
	// Checks AWS signatures, for the tests of what makes them.
	"internal/sigv4test": {level: 1},

	"internal/providerstest": {level: 1, ours: []string{"llm"}},
	"internal/sinktest":      {level: 1, ours: []string{"llm"}},

	// A dialect, each alike: another one needs no row. They do not know each other;
	// guests are injected. And the table of vendors, which names the dialects.
	anyDialect:  {level: 5, ours: []string{"llm", "internal/apierror", "internal/content", "internal/draft", "internal/encoding", "internal/eventstream", "internal/intake", "internal/jsonwalk", "internal/params", "internal/sse", "internal/toldcost", "internal/websocket"}},
	"providers": {level: 6, ours: []string{"llm", "internal/apierror", "internal/canon", "internal/encoding", "internal/sse", anyDialect}},
	"tracing":   {level: 2, ours: []string{"llm"}},
	"store":     {level: 2, ours: []string{"llm", "internal/callrecord"}},

	// internal/encoding: what the relay takes out of a compressed stream it takes
	// out of the decoded bytes.
	"proxy":    {level: 3, ours: []string{"llm", "internal/encoding"}},
	"recorder": {level: 3, ours: []string{"llm"}},

	// Judges runs by recordings, which providers reads: tests only.
	"internal/runstest": {level: 7, ours: []string{"llm", "providers", "runs"}},

	// The only one that knows them all; nobody imports it.
	"cmd/proxy": {level: 7, ours: []string{
		"llm", "attribution", "journal", "pricing", "tokenizer", "providers", "runs", "tracing", "proxy", "redact", "recorder", "signing",
		"store",
		"internal/encoding", "internal/fakellm", "internal/sealed",
	}},
}

// forTests lists what test files may import of ours beside the row of their own
// package: the suites that every implementation must pass, and the fake
// provider.
var forTests = []string{"llm", "internal/encoding", "internal/eventstream", "internal/fakellm", "internal/providerstest", "internal/sigv4test", "internal/sinktest", "internal/sse"}

// owners says which packages may import a library from outside, by the longest
// prefix of its import path. Replacing a library is then work in one folder.
var owners = map[string][]string{
	"github.com/valyala/fasthttp":          {"proxy", "internal/fakellm"},
	"github.com/tidwall/gjson":             {anyDialect, "internal/toldcost", "internal/apierror"},
	"github.com/pkoukk/tiktoken-go":        {"tokenizer"},
	"github.com/pkoukk/tiktoken-go-loader": {"tokenizer"},
	"github.com/spf13/viper":               {"cmd/proxy"},
	"github.com/spf13/cobra":               {"cmd/proxy"},
	"github.com/spf13/pflag":               {"cmd/proxy"},
	"github.com/go-viper/mapstructure":     {"cmd/proxy"},
	"go.yaml.in/yaml":                      {"cmd/proxy"},
	"go.opentelemetry.io":                  {"tracing"},
	"google.golang.org/grpc":               {"tracing"},
	"google.golang.org/protobuf":           {"tracing"},
	"google.golang.org/genproto":           {"tracing"},
	"github.com/prometheus":                {"tracing"},
	// One library, three jobs that never meet: bodies that providers compress, batches
	// that we send, and what the store keeps.
	"github.com/klauspost/compress": {"internal/encoding", "store", "tracing"},
	"github.com/andybalholm/brotli": {"internal/encoding"},
	// Encryption at rest.
	"github.com/minio/sio": {"internal/sealed"},
	// The store: SQLite without cgo, and sketches of latencies.
	"zombiezen.com/go/sqlite":        {"store"},
	"github.com/DataDog/sketches-go": {"store"},
	// Calls as bytes.
	"github.com/fxamacker/cbor": {"internal/callrecord"},
	// Signatures, and the many places that AWS keeps credentials in.
	"github.com/aws": {"signing"},
	// Ids: of calls, and of this process.
	"github.com/google/uuid": {"proxy", "tracing"},
	// Golden files, for the tests of every dialect.
	"golang.org/x/tools/txtar": {"internal/providerstest"},
	// Texts come back in another normal form (NFKC) than they were sent in.
	"golang.org/x/text": {"runs"},
	// What the standard library has no name for: watching a socket for a hang-up.
	"golang.org/x/sys": {"proxy"},
}

// testLibraries may be imported by the test files of every package.
var testLibraries = []string{
	"go.uber.org/goleak",
	"golang.org/x/tools/txtar",
}

func TestImportsFollowTheTable(t *testing.T) {
	modules := nested(t)
	met := map[string]bool{}
	for _, f := range goFiles(t) {
		if within(f.dir(), modules) {
			continue
		}
		row, listed := table[listedAs(f.dir())]
		met[listedAs(f.dir())] = true
		if !listed {
			t.Errorf("%s: package %s has no row in the import table. Add one to table in internal/repotest/imports_test.go and say in the commit what the package is for", f.name, f.dir())
			continue
		}
		_, parsed := f.parse(t)
		for _, p := range imports(parsed) {
			if p == module || strings.HasPrefix(p, module+"/") {
				checkOurs(t, f, row, strings.TrimPrefix(strings.TrimPrefix(p, module), "/"))
			} else if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
				checkForeign(t, f, p)
			}
		}
	}
	for dir := range table {
		if !met[dir] {
			t.Errorf("the import table has a row for %s, and there is no such package: remove the row from table in internal/repotest/imports_test.go", dir)
		}
	}
}

func checkOurs(t *testing.T, f file, row pkg, imported string) {
	t.Helper()
	switch {
	case slices.Contains(row.ours, listedAs(imported)):
	case f.isTest() && (imported == f.dir() || slices.Contains(forTests, imported) || strings.HasPrefix(imported, f.dir()+"/testdata/")):
	case f.isTest():
		t.Errorf("%s: a test of %s may not import %s: the packages are tested alone, whole-program tests live in cmd/proxy. To allow it, change forTests in internal/repotest/imports_test.go", f.name, f.dir(), imported)
	default:
		t.Errorf("%s: %s may not import %s: packages speak the words of llm and do not know each other. Ask for what is needed by an interface beside its user, or change the row of %s in internal/repotest/imports_test.go and say why in the commit", f.name, f.dir(), imported, f.dir())
	}
}

func checkForeign(t *testing.T, f file, imported string) {
	t.Helper()
	if f.isTest() && slices.ContainsFunc(testLibraries, func(prefix string) bool { return covers(prefix, imported) }) {
		return
	}
	best := ownedPrefix(imported)
	switch {
	case best == "":
		t.Errorf("%s: imports %s, which no package owns. Argue for the new library in the commit message and give it an owner: owners (or testLibraries) in internal/repotest/imports_test.go", f.name, imported)
	case !slices.Contains(owners[best], listedAs(f.dir())):
		t.Errorf("%s: imports %s, which only %s may: one library, one owner. See owners in internal/repotest/imports_test.go", f.name, imported, strings.Join(owners[best], ", "))
	}
}

func covers(prefix, imported string) bool {
	return imported == prefix || strings.HasPrefix(imported, prefix+"/")
}

// ownedPrefix returns the longest row of owners that an import path is under.
func ownedPrefix(imported string) string {
	best := ""
	for prefix := range owners {
		if covers(prefix, imported) && len(prefix) > len(best) {
			best = prefix
		}
	}
	return best
}

// The table itself must be a star: a row that breaks it would let everything in.
func TestImportTablePointsDown(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		for _, imported := range table[name].ours {
			row, ok := table[imported]
			switch {
			case !ok:
				t.Errorf("row %s of the import table names %s, which has no row", name, imported)
			case row.level >= table[name].level:
				t.Errorf("row %s (level %d) of the import table names %s (level %d): imports point down", name, table[name].level, imported, row.level)
			}
		}
	}
}

// A row that no import needs lets the next one in unseen.
func TestEachOwnerUsesItsLibrary(t *testing.T) {
	used := map[[2]string]bool{} // prefix, package
	modules := nested(t)
	for _, f := range goFiles(t) {
		if within(f.dir(), modules) {
			continue
		}
		_, parsed := f.parse(t)
		for _, p := range imports(parsed) {
			used[[2]string{ownedPrefix(p), listedAs(f.dir())}] = true
		}
	}
	for prefix, packages := range owners {
		for _, dir := range packages {
			if !used[[2]string{prefix, dir}] {
				t.Errorf("%s may import %s and does not: take it out of owners in internal/repotest/imports_test.go", dir, prefix)
			}
		}
	}
}

// fasthttp's parser is the gate through which every head goes, so it changes
// only on purpose: docs/adr/0001 and the probe's table belong to one version.
func TestPinnedVersions(t *testing.T) {
	mod := string(find(t, "go.mod").data)
	for library, version := range map[string]string{
		"github.com/valyala/fasthttp": "v1.74.0",
	} {
		if !strings.Contains(mod, "\t"+library+" "+version) {
			t.Errorf("go.mod must pin %s at %s. A new version is a decision: run the transparency probe, then change TestPinnedVersions in internal/repotest/imports_test.go", library, version)
		}
	}
}
