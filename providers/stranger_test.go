package providers_test

import (
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/providers"
)

// The path says how a body is read, whoever answers: a row of the user's own, of
// which nothing but its address is known, reads what each vendor was recorded with.
func TestRecordingsOfAStranger(t *testing.T) {
	d := through(table(t, providers.Entry{Name: "stranger", BaseURL: "http://10.0.0.1:9000"}), "stranger")
	// Two formats are at /v1/chat, Cohere's first version and Writer's copy of OpenAI's.
	clear := func(r providerstest.Recording) bool { return !strings.HasSuffix(r.Target, "/v1/chat") }
	for _, r := range providerstest.Recordings(t, clear) {
		c, err := d.Read(r.Exchange(), providerstest.Cut(r.Response, 333)...)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		for _, diff := range providerstest.Differences(c, r) {
			if diff.Why == "" {
				t.Errorf("%s %s: %s", r.Name, r.Target, diff)
			}
		}
	}
}
