package jsonwalk_test

import (
	"fmt"
	"testing"

	"github.com/spanwire/spanwire/internal/jsonwalk"
)

func TestEnding(t *testing.T) {
	keys := []string{"usage", "meta", "model"}
	f := func(tail string, want ...string) {
		t.Helper()
		got := []string{}
		for m := jsonwalk.Ending([]byte(tail), keys); m.Next(); {
			got = append(got, fmt.Sprintf("%s=%s", m.Key, m.Val))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", tail, got, want)
		}
	}
	f(`0.25,1]],"meta":{"usage":1},"model":"m"}`, `meta={"usage":1}`, `model="m"`)
	f(`2],"usage":{"a":1}} `, `usage={"a":1}`)
	f(`"usage":1}],"x":2}`)     // within an inner object
	f(`\"usage\":1}","x":"y"}`) // within a text
	f(`1],"usage":{"a":1}`)     // the object does not end
	f(`1],"usage":{"a":1}}{}`)  // something follows
	f(``)                       // nothing at all
	f(`"model":"m","other":true}`, `model="m"`, `other=true`)
}
