package providers_test

import (
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/llm"
)

// The calls within a WebSocket are read by the row that met them, also when a
// reload has replaced the table since; the connection around them is no call.
func TestCallsWithinAWebSocket(t *testing.T) {
	f := func(provider, target, system string) {
		t.Helper()
		tab, later := table(t), table(t)
		x := exchange(provider, target, 101)
		x.Method = "GET"
		var within []*llm.Exchange
		x.Emit = func(call *llm.Exchange) {
			call.Provider, call.Method, call.UpstreamTarget, call.Status, call.Session = provider, x.Method, x.UpstreamTarget, x.Status, x.ID
			within = append(within, call)
		}
		x.Observer = tab.Row(provider).Observe(x)
		both, ok := x.Observer.(llm.Duplex)
		if !ok {
			t.Fatalf("%s is not watched both ways: %T", target, x.Observer)
		}
		for _, m := range []providerstest.SessionMessage{
			{Caller: true, Data: []byte(`{"setup":{"model":"models/m"}}`)},
			{Caller: true, Data: []byte(`{"clientContent":{"turns":[{"parts":[{"text":"Hi"}]}]}}`)},
			{Data: []byte(`{"serverContent":{"outputTranscription":{"text":"Hello"},"turnComplete":true},"usageMetadata":{"promptTokenCount":4,"responseTokenCount":2}}`)},
		} {
			if m.Caller {
				both.Sent(m.Frame(), begin)
			} else {
				both.Wrote(m.Frame(), begin)
			}
		}
		if len(within) != 1 {
			t.Fatalf("%d calls", len(within))
		}
		c, err := later.Read(within[0])
		if err != nil {
			t.Fatal(err)
		}
		in, _ := c.Usage.Input()
		if c.Kind != llm.KindLLM || c.Provider != system || c.RequestModel != "models/m" || in != 4 || c.Output[0].Parts[0].Content != "Hello" || len(c.Problems) > 0 {
			t.Errorf("within: %s", providerstest.Show(c))
		}
		around, err := later.Read(x)
		if err != nil {
			t.Fatal(err)
		}
		if around.Kind != llm.KindHTTP || around.Usage.Known() || around.Provider != system {
			t.Errorf("around: %s", providerstest.Show(around))
		}
	}
	f("gemini", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k", "gcp.gemini")
	f("vertex", "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent", "gcp.vertex_ai")
}
