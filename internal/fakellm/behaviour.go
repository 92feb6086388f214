package fakellm

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// behaviour is what a model name asks for.
type behaviour struct {
	status  int  // answer with this error
	retry   bool // … unless the client says that it is a retry
	midway  bool // break the stream off with an error event
	cut     bool // close the connection halfway
	reset   bool // … with a reset
	wait    time.Duration
	words   int
	noUsage bool
	reason  bool
	refuse  bool
}

// maxWords and maxChoices bound what a request can make the fake provider say.
const (
	maxWords   = 100_000
	maxChoices = 128
)

// behave reads a model name. Names that ask for nothing give the zero behaviour.
func behave(model string) behaviour {
	rest, ok := strings.CutPrefix(model, "fake-")
	if !ok {
		return behaviour{}
	}
	word, arg, _ := strings.Cut(rest, "-")
	n, _ := strconv.Atoi(arg)
	switch word {
	case "err":
		if arg == "mid" {
			return behaviour{midway: true}
		}
		return behaviour{status: errorStatus(n)}
	case "retry":
		return behaviour{status: errorStatus(n), retry: true}
	case "slow":
		if d, err := time.ParseDuration(arg); err == nil {
			return behaviour{wait: d}
		}
		return behaviour{wait: 2 * time.Second}
	case "cut":
		return behaviour{cut: true}
	case "reset":
		return behaviour{cut: true, reset: true}
	case "words":
		return behaviour{words: min(max(n, 1), maxWords)}
	case "no":
		return behaviour{noUsage: arg == "usage"}
	case "reasoning":
		return behaviour{reason: true}
	case "refusal":
		return behaviour{refuse: true}
	}
	return behaviour{}
}

// errorStatus keeps a status inside what an error may have.
func errorStatus(n int) int {
	if n < 400 || n > 599 {
		return fasthttp.StatusInternalServerError
	}
	return n
}

// fails answers with the error that the behaviour asks for, if any.
func (b behaviour) fails(ctx *fasthttp.RequestCtx, model string) bool {
	if b.status == 0 {
		return false
	}
	if n, _ := strconv.Atoi(string(ctx.Request.Header.Peek("X-Stainless-Retry-Count"))); b.retry && n > 0 {
		return false
	}
	switch b.status {
	case fasthttp.StatusUnauthorized:
		writeError(ctx, b.status, "Incorrect API key provided.", "invalid_api_key")
	case fasthttp.StatusNotFound:
		writeError(ctx, b.status, "The model `"+model+"` does not exist or you do not have access to it.", "model_not_found")
	case fasthttp.StatusTooManyRequests, fasthttp.StatusServiceUnavailable:
		ctx.Response.Header.Set("Retry-After", "1")
		ctx.Response.Header.Set("Retry-After-Ms", "10")
		writeError(ctx, b.status, "Rate limit reached for "+model+". Please try again in 10ms.", "rate_limit_exceeded")
	default:
		writeError(ctx, b.status, "The built-in provider was asked for this error.", "fake_error")
	}
	return true
}

// apiError is the error object of OpenAI's API (wire reference, section 14).
type apiError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

func writeError(ctx *fasthttp.RequestCtx, status int, message, code string) {
	kind := "invalid_request_error"
	switch {
	case status == fasthttp.StatusTooManyRequests:
		kind = "requests"
	case status >= 500:
		kind = "server_error"
	}
	ctx.SetStatusCode(status)
	writeJSON(ctx, map[string]apiError{"error": {Message: message, Type: kind, Code: code}})
}

func writeJSON(ctx *fasthttp.RequestCtx, v any) {
	ctx.Response.Header.SetContentType("application/json")
	ctx.SetBody(marshal(v))
}

// marshal encodes what this package builds itself, which cannot fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: encode an answer of the fake provider: " + err.Error())
	}
	return b
}
