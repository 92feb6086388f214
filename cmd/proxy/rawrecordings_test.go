package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
	"github.com/spanwire/spanwire/store"
)

// Every recorded exchange, relayed with capture.raw: the bodies that the store gives
// back are those that were recorded. Where a credential was taken out it says so.
func TestRecordedBodiesAreKept(t *testing.T) {
	recordings(t)
	all := providerstest.Recordings(t, func(providerstest.Recording) bool { return true })
	dir := t.TempDir()
	s := newStage(t, all, fmt.Sprintf("data_dir: %q\ncapture: {raw: true}\nproxy: {capture_request_bytes: 64MiB}\n", dir))
	ids := map[string]providerstest.Recording{}
	for _, r := range all {
		ids[s.play(t, r, way{piece: 4096}).call.ID] = r
	}
	s.stop(t)
	reader, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	redacted := 0
	for id, r := range ids {
		c, err := reader.Call(context.Background(), id)
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		if c.Raw == nil {
			t.Errorf("%s: there are no bodies", r.Name)
			continue
		}
		if c.Raw.RequestRedacted || c.Raw.ResponseRedacted {
			redacted++
		}
		if sum := sha256.Sum256([]byte(c.Raw.Response)); !c.Raw.ResponseRedacted && hex.EncodeToString(sum[:]) != r.Expected.BodySHA256 {
			t.Errorf("%s: the answer has other bytes than were recorded", r.Name)
		}
		if !c.Raw.RequestRedacted && c.Raw.Request != string(r.Request) {
			t.Errorf("%s: the request has other bytes than were sent", r.Name)
		}
	}
	if redacted > len(all)/20 {
		t.Errorf("of %d exchanges %d had something taken out", len(all), redacted)
	}
	t.Logf("%d exchanges, %d of them with something taken out", len(all), redacted)
}
