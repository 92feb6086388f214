package tracing_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/tracing"
)

const (
	traceHex = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanHex  = "00f067aa0ba902b7"
	halfHex  = "0000000000000000a3ce929d0e0e4736" // the lower half alone
	w3c      = "traceparent: 00-" + traceHex + "-" + spanHex + "-01\r\n"
)

// describe returns a place as text: trace, parent, flags, state.
func describe(p llm.Place) string {
	if p == (llm.Place{}) {
		return ""
	}
	text := hex.EncodeToString(p.Trace[:]) + " " + hex.EncodeToString(p.Parent[:]) + " " + hex.EncodeToString([]byte{p.Flags})
	if p.State != "" {
		text += " " + p.State
	}
	if !p.Remote {
		text += " not remote"
	}
	return text
}

func TestParent(t *testing.T) {
	f := func(head, want string) {
		t.Helper()
		if got := describe(tracing.Parent(llm.Header(head))); got != want {
			t.Errorf("%q\n got %q\nwant %q", head, got, want)
		}
	}
	both := traceHex + " " + spanHex
	half := halfHex + " " + spanHex
	// W3C, with its flags and state; state lines are joined.
	f(w3c, both+" 01")
	f("TraceParent:00-"+traceHex+"-"+spanHex+"-03\r\ntracestate: a=1\r\nTraceState: b=2 \r\n", both+" 03 a=1,b=2")
	f("traceparent: 00-"+traceHex+"-"+spanHex+"-00\r\n", both+" 00")
	f("traceparent: cc-"+traceHex+"-"+spanHex+"-01-new\r\n", both+" 01")
	// What is broken is no context.
	f("traceparent: 00-"+traceHex+"-0000000000000000-01\r\n", "")
	f("traceparent: 00-"+strings.Repeat("0", 32)+"-"+spanHex+"-01\r\n", "")
	f("traceparent: ff-"+traceHex+"-"+spanHex+"-01\r\n", "")
	f("traceparent: 00-"+strings.ToUpper(traceHex)+"-"+spanHex+"-01\r\n", "")
	f("traceparent: "+traceHex+"\r\n", "")
	f("tracestate: a=1\r\n", "")
	f(w3c+strings.Replace(w3c, "b7-01", "b8-01", 1), "") // two that differ
	f(w3c+w3c, both+" 01")
	f("host: x\r\naccept: */*\r\n", "")
	f("", "")
	// B3: one header, several, 64 bits, undecided, debug, upper case.
	f("b3: "+traceHex+"-"+spanHex+"-1\r\n", both+" 01")
	f("b3: "+traceHex+"-"+spanHex+"-0-"+spanHex+"\r\n", both+" 00")
	f("b3: "+traceHex+"-"+spanHex+"\r\n", both+" 01")
	f("B3: "+strings.ToUpper(traceHex[16:])+"-"+spanHex+"-d\r\n", half+" 01")
	f("X-B3-TraceId: "+strings.ToUpper(traceHex)+"\r\nX-B3-SpanId: "+spanHex+"\r\nX-B3-Sampled: 1\r\n", both+" 01")
	f("x-b3-traceid: "+traceHex+"\r\nx-b3-spanid: "+spanHex+"\r\nx-b3-sampled: 0\r\n", both+" 00")
	f("x-b3-traceid: "+traceHex+"\r\nx-b3-spanid: "+spanHex+"\r\n", both+" 01")
	f("b3: 0\r\n", "")
	f("b3: rubbish\r\nx-b3-traceid: "+traceHex+"\r\nx-b3-spanid: "+spanHex+"\r\nx-b3-sampled: 1\r\n", both+" 01")
	// Jaeger, encoded or not, short ids.
	f("uber-trace-id: "+traceHex+":"+spanHex+":0:1\r\n", both+" 01")
	f("uber-trace-id: "+traceHex+"%3A"+spanHex+"%3A0%3A0\r\n", both+" 00")
	f("uber-trace-id: a3ce929d0e0e4736:f067aa0ba902b7:0:3\r\n", half+" 01")
	// Datadog: decimals, with and without the upper half, rejected, without a parent.
	f("x-datadog-trace-id: 11803532876627986230\r\nx-datadog-parent-id: 67667974448284343\r\nx-datadog-sampling-priority: 1\r\nx-datadog-tags: _dd.p.dm=-1,_dd.p.tid=4bf92f3577b34da6\r\n", both+" 01")
	f("X-Datadog-Trace-Id: 11803532876627986230\r\nX-Datadog-Parent-Id: 67667974448284343\r\n", half+" 01")
	f("x-datadog-trace-id: 11803532876627986230\r\nx-datadog-parent-id: 0\r\nx-datadog-sampling-priority: -1\r\n", halfHex+" 0000000000000000 00")
	f("x-datadog-trace-id: "+traceHex+"\r\nx-datadog-parent-id: 1\r\n", "")
	f("x-datadog-trace-id: 0\r\nx-datadog-parent-id: 1\r\n", "")
	// OpenTracing.
	f("ot-tracer-traceid: "+traceHex[16:]+"\r\not-tracer-spanid: "+spanHex+"\r\not-tracer-sampled: true\r\n", half+" 01")
	f("ot-tracer-traceid: "+traceHex+"\r\not-tracer-spanid: "+spanHex+"\r\n", both+" 01")
	// X-Ray; a load balancer sends one without a parent.
	f("X-Amzn-Trace-Id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent="+spanHex+";Sampled=1\r\n", both+" 01")
	f("x-amzn-trace-id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736; Parent="+spanHex+"; Sampled=0\r\n", both+" 00")
	f("x-amzn-trace-id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent="+spanHex+"\r\n", both+" 01")
	f("x-amzn-trace-id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736\r\n", "")
	f("x-amzn-trace-id: Self=1-4bf92f35-77b34da6a3ce929d0e0e4736\r\n", "")
	// Google Cloud.
	f("X-Cloud-Trace-Context: "+traceHex+"/67667974448284343;o=1\r\n", both+" 01")
	f("x-cloud-trace-context: "+traceHex+"/67667974448284343;o=0\r\n", both+" 00")
	f("x-cloud-trace-context: "+traceHex+"\r\n", traceHex+" 0000000000000000 01")
	f("x-cloud-trace-context: zz/1;o=1\r\n", "")
	// W3C wins over all others, wherever it stands; if it is broken, another serves.
	other := "b3: " + strings.Repeat("a", 32) + "-" + strings.Repeat("b", 16) + "-0\r\nx-datadog-trace-id: 5\r\nx-datadog-parent-id: 6\r\n"
	f(other+w3c, both+" 01")
	f(w3c+other, both+" 01")
	f("traceparent: broken\r\n"+"uber-trace-id: "+traceHex+":"+spanHex+":0:1\r\n", both+" 01")
}

func TestNewPlace(t *testing.T) {
	seen := map[[16]byte]bool{}
	for range 1000 {
		p := tracing.NewPlace(llm.Place{})
		if p.Trace == ([16]byte{}) || p.Span == ([8]byte{}) || seen[p.Trace] || p.Parent != ([8]byte{}) || p.Remote {
			t.Fatalf("a new place is %+v", p)
		}
		if p.Flags != 3 {
			t.Fatalf("flags are %d, want sampled and random", p.Flags)
		}
		seen[p.Trace] = true
	}
	parent := tracing.Parent(llm.Header(w3c))
	p := tracing.NewPlace(parent)
	if p.Trace != parent.Trace || p.Parent != parent.Parent || p.Span == ([8]byte{}) || p.Flags != 1 || !p.Remote {
		t.Errorf("a call below %+v stands at %+v", parent, p)
	}
	if again := tracing.NewPlace(p); again != p {
		t.Errorf("a complete place was changed to %+v", again)
	}
	if p := tracing.NewPlace(llm.Place{Parent: [8]byte{1}, Remote: true, State: "a=1"}); p.Parent != ([8]byte{}) || p.Remote || p.State != "" {
		t.Errorf("a parent without a trace was kept: %+v", p)
	}
}

func FuzzParent(f *testing.F) {
	f.Add(w3c + "tracestate: a=1\r\n")
	f.Add("b3: " + traceHex + "-" + spanHex + "-1\r\n")
	f.Add("b3: " + traceHex[16:] + "-" + spanHex + "-1\r\n")
	f.Add("x-b3-traceid: " + traceHex + "\r\nx-b3-spanid: " + spanHex + "\r\n")
	f.Add("uber-trace-id: " + traceHex + ":" + spanHex + ":0:1\r\n")
	f.Add("x-datadog-trace-id: 1\r\nx-datadog-parent-id: 2\r\nx-datadog-tags: _dd.p.tid=4bf92f3577b34da6\r\n")
	f.Add("ot-tracer-traceid: " + traceHex + "\r\not-tracer-spanid: " + spanHex + "\r\n")
	f.Add("x-amzn-trace-id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" + spanHex + ";Sampled=1\r\n")
	f.Add("x-cloud-trace-context: " + traceHex + "/67;o=1\r\n")
	f.Fuzz(func(t *testing.T, head string) {
		p := tracing.Parent(llm.Header(head))
		if (p.Trace == [16]byte{}) != (p == llm.Place{}) {
			t.Errorf("half a place: %+v", p)
		}
		if p.Trace != ([16]byte{}) && !p.Remote {
			t.Errorf("a caller's context that is not remote: %+v", p)
		}
		whole := tracing.NewPlace(p)
		if whole.Trace == ([16]byte{}) || whole.Span == ([8]byte{}) {
			t.Errorf("not complete: %+v", whole)
		}
	})
}
