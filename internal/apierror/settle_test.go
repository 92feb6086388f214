package apierror_test

import (
	"testing"

	"github.com/spanwire/spanwire/internal/apierror"
)

func TestSettle(t *testing.T) {
	f := func(status int, stream *apierror.Error, body, kind, message string) {
		t.Helper()
		k, m := apierror.Settle(status, stream, []byte(body))
		if k != kind || m != message {
			t.Errorf("%d %q: %q %q, want %q %q", status, body, k, m, kind, message)
		}
	}
	f(200, nil, `{"a":1}`, "", "")
	f(200, nil, ``, "", "")
	f(200, nil, `{"error":"no"}`, "_OTHER", "no")
	f(200, nil, `{"error":null}`, "", "")
	f(200, &apierror.Error{Message: "broke"}, ``, "_OTHER", "broke")
	f(200, &apierror.Error{Code: "throttled", Message: "key=abc"}, ``, "throttled", "key=[redacted]")
	f(404, nil, `{"error":"no such model"}`, "404", "no such model")
	f(400, nil, ` {"error_type":"TOO_MANY_TOKENS","message":"m"}`, "TOO_MANY_TOKENS", "m")
	f(503, nil, `<html>`, "503", "Service Unavailable")
	f(503, nil, `overloaded`, "503", "overloaded")
	f(503, nil, ``, "503", "Service Unavailable")
}
