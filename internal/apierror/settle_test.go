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
	f(400, nil, `{"error":["first","second"]}`, "400", "first")
	f(404, nil, `{"type":"about:blank","title":"Not Found","status":404,"detail":"no such function"}`, "404", "no such function")
	f(404, nil, `{"detail":"no such function","type":"https://errors.example/none","title":"Not Found"}`, "404", "no such function")
	f(400, nil, `{"title":"Bad","errors":{"model":["is missing"]}}`, "400", "Bad")
	f(401, nil, `{"fault":{"faultstring":"Invalid API key","detail":{"errorcode":"x.y"}}}`, "401", "Invalid API key")
	f(403, nil, `{"result":null,"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[]}`, "10000", "Authentication error")
	f(401, nil, `{"tpe":"unauthorized","errors":[{"description":"bad token","key":"fail.auth","extras":{}}]}`, "fail.auth", "bad token")
	f(400, nil, `{"error":"invalid_grant","error_description":"token has expired"}`, "invalid_grant", "token has expired")
	f(400, nil, `{"error_code":"INVALID_PARAMETER_VALUE","message":"m"}`, "INVALID_PARAMETER_VALUE", "m")
	f(429, nil, `{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow down"}`, "ThrottlingException", "slow down")
	f(503, nil, `<html>`, "503", "Service Unavailable")
	f(503, nil, `overloaded`, "503", "overloaded")
	f(503, nil, ``, "503", "Service Unavailable")
}
