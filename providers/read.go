package providers

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spanwire/spanwire/internal/apierror"
	"github.com/spanwire/spanwire/llm"
)

// observation is what watches a response: the reader, and who made it. A reload
// may have replaced the table by the time the exchange is read.
type observation struct {
	row     *Row
	dialect *dialect
	reader  Reader
}

func (o *observation) Wrote(p []byte, at time.Time) { o.reader.Wrote(p, at) }

// Read turns an exchange into a call. There always is one, also beside an error;
// Problems lists what could not be read. The exchange is not changed. A response
// that nobody watched is read from its copy.
func (t *Table) Read(x *llm.Exchange) (*llm.Call, error) {
	c := frame(x)
	o := watcher(x)
	row := t.rows[x.Provider]
	if o != nil {
		row = o.row
	}
	if row == nil { // no route matched
		c.Attrs = nil
		c.ErrorType, c.ErrorMessage = ownError(c, x)
		return c, nil
	}
	c.Provider = row.Provider
	var d *dialect
	if o != nil {
		d = o.dialect
	} else {
		d = row.dialectFor(x)
	}
	err := d.readRequest(c, x)
	if err != nil {
		err = fmt.Errorf("read %s request: %w", row.Name, err)
	}
	if ferr := finish(d, o, c, x); ferr != nil {
		err = fmt.Errorf("read %s response: %w", row.Name, ferr)
	}
	if err != nil {
		c.Problems = append(c.Problems, err.Error())
	}
	readHeaders(c, x.ResponseHeader, x.End)
	settleError(c, x)
	if row.Local {
		free(c)
	}
	if len(c.Attrs) == 0 {
		c.Attrs = nil
	}
	return c, err
}

// free makes a call of a model that runs on hardware of the user's own cost nothing,
// which is not the same as that nothing is known. A local server may pass a call on
// to one that runs elsewhere, and then says so.
func free(c *llm.Call) {
	if c.Kind != llm.KindLLM || c.Cost.Known() {
		return
	}
	for _, a := range c.Attrs {
		if a.Key == "ollama.response.remote_host" {
			return
		}
	}
	c.Cost = llm.Cost{Source: llm.CostTable, Status: llm.CostOK, Price: "local"}
}

// finish reads the response: by what watched it, else from the copy.
func finish(d *dialect, o *observation, c *llm.Call, x *llm.Exchange) error {
	if x.OwnError != "" {
		return nil // our own words
	}
	if o != nil {
		return o.reader.Finish(c, x)
	}
	reader := d.newReader(x)
	if reader == nil {
		return nil
	}
	reader.Wrote(x.Response.Data, x.FirstByte)
	return reader.Finish(c, x)
}

// usualAttrs is how many attributes a usual call carries at the most.
const usualAttrs = 14

// frame is what every exchange tells, whatever it was about.
func frame(x *llm.Exchange) *llm.Call {
	made := &struct { // one piece of memory
		call  llm.Call
		attrs [usualAttrs]llm.Attr
	}{}
	c := &made.call
	c.ID, c.Kind, c.Route = x.ID, llm.KindHTTP, x.Provider
	c.Method, c.Path, c.ServerAddress, c.ServerPort, c.Status = x.Method, x.AskedPath(), x.Host, x.Port, x.Status
	c.Start, c.FirstByte, c.End, c.Ended = x.Start, x.FirstByte, x.End, x.Ended
	c.RequestBytes, c.ResponseBytes = x.Request.Size, x.Response.Size
	c.Attrs = made.attrs[:0]
	if !x.Sent.IsZero() {
		c.Overhead += max(x.Sent.Sub(x.Start), 0)
	}
	if !x.FirstByte.IsZero() && !x.FirstWrite.IsZero() {
		c.Overhead += max(x.FirstWrite.Sub(x.FirstByte), 0)
	}
	return c
}

// settleError gives every exchange that failed an error type (telemetry
// reference, section 1): what the provider said, else how the exchange ended,
// else the HTTP status.
func settleError(c *llm.Call, x *llm.Exchange) {
	if c.ErrorType == "" {
		c.ErrorType, c.ErrorMessage = ownError(c, x)
	}
	c.ErrorMessage = apierror.Scrub(c.ErrorMessage)
}

// ownError returns the error of an exchange of which the provider told none.
func ownError(c *llm.Call, x *llm.Exchange) (kind, message string) {
	switch {
	case x.OwnError != "":
		return x.OwnError, x.Err
	case x.Status >= 400:
		return strconv.Itoa(x.Status), http.StatusText(x.Status)
	case x.Ended == llm.EndComplete || x.Ended == "":
		return "", ""
	case x.Ended == llm.EndClientGone && answered(c):
		// Many clients hang up when they have seen the end mark of a stream.
		return "", ""
	case x.Ended == llm.EndError:
		return "_OTHER", x.Err
	}
	return string(x.Ended), x.Err
}

// answered says that the answer had come to its end, as far as its format tells.
func answered(c *llm.Call) bool {
	if c.Kind != llm.KindLLM || len(c.Output) == 0 {
		return false
	}
	for _, m := range c.Output {
		if m.FinishReason == "" || m.FinishReason == "error" {
			return false
		}
	}
	return true
}
