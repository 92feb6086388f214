package recorder_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/llm"
	"github.com/spanwire/spanwire/recorder"
)

// ids are the fields that are never looked through: numbers by which calls are linked,
// words of our own, and codes of three letters ([llm.ParseCurrency]). A field that is not here and lets a secret through is a leak.
var ids = map[string]bool{
	"ID": true, "Kind": true, "Operation": true, "Provider": true, "Route": true, "ResponseID": true, "ServerAddress": true, "Ended": true,
	"UsageOf": true, "Content": true, "Usage.Source": true, "Steps.Usage.Source": true, "Cost.Source": true, "Cost.Status": true, "Cost.Currency": true, "Attribution.Key": true, "Place.ParentCall": true,
	"System.SHA256": true, "Input.Parts.SHA256": true, "Output.Parts.SHA256": true, "Run.Inferred.Parts.SHA256": true,
}

// plant puts text into every string of v, and makes the slices and structs that hold
// strings.
func plant(v reflect.Value, path, text string) {
	switch v.Kind() {
	case reflect.String:
		own := strings.HasPrefix(path, "Run.") && path != "Run.ByTool" && !strings.HasPrefix(path, "Run.Inferred.Parts.") // ids of calls, and our words
		switch {
		case path == "Attrs.Key": // of ours, with a word of the caller
			v.SetString("openai.request.metadata." + text)
		case !ids[path] && !own:
			v.SetString(text)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(text))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem(), path, text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			plant(v.Index(i), path, text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				plant(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."), text)
			}
		}
	}
}

// survivors names the strings of v in which text is.
func survivors(v reflect.Value, path, text string, found map[string]bool) {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), text) {
			found[path] = true
		}
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			survivors(v.Elem(), path, text, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			survivors(v.Index(i), path, text, found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				survivors(v.Field(i), path+"."+v.Type().Field(i).Name, text, found)
			}
		}
	}
}

// Every kind of secret, in every field of a call that can hold words of others, is gone
// from what sinks get: a new field that nobody thought of fails here.
func TestNoFieldOfACallKeepsASecret(t *testing.T) {
	for _, s := range secrets(11) {
		c := &llm.Call{}
		plant(reflect.ValueOf(c).Elem(), "", "see "+s.text+" now")
		c.Content, c.OmitInput, c.OmitOutput = llm.ContentFull, false, false
		before := map[string]bool{}
		survivors(reflect.ValueOf(c).Elem(), "", s.core, before)
		if len(before) < 40 {
			t.Fatalf("%s was planted in %d fields only", s.name, len(before))
		}
		got := one(t, recorder.Stages{Reader: reader(func(*llm.Exchange) (*llm.Call, error) { return c, nil })}, exchange(1))
		found := map[string]bool{}
		survivors(reflect.ValueOf(got).Elem(), "", s.core, found)
		for path := range found {
			t.Errorf("%s survives in %s", s.name, path)
		}
	}
}

// Personal data goes after credentials, and what is left is what sinks get.
func TestRedactorIsAsked(t *testing.T) {
	var seen string
	c := talk("bearer " + secrets(1)[0].text + " ")
	got := one(t, recorder.Stages{
		Reader: reader(func(*llm.Exchange) (*llm.Call, error) { return c, nil }),
		Redactor: redactor(func(c *llm.Call) {
			seen = c.System[0].Content
			c.System[0].Content = "nothing"
		}),
	}, exchange(1))
	if strings.Contains(seen, secrets(1)[0].core) || got.System[0].Content != "nothing" {
		t.Errorf("the redactor saw %q, and %q was kept", seen, got.System[0].Content)
	}
}

type redactor func(*llm.Call)

func (f redactor) Redact(c *llm.Call) { f(c) }
