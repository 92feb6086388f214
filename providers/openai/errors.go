package openai

import "encoding/json"

// ErrorBody returns the JSON of an error in OpenAI's shape, as an answer that the
// proxy makes itself carries it. code is a stable word.
func (Dialect) ErrorBody(_ int, code, message string) []byte {
	var e struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    string  `json:"code"`
		} `json:"error"`
	}
	e.Error.Message, e.Error.Type, e.Error.Code = message, "proxy_error", code
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: error body: " + err.Error()) // texts alone
	}
	return b
}
