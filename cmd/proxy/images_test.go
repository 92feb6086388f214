package main

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spanwire/spanwire/internal/fakellm"
	"github.com/spanwire/spanwire/store"
)

// imagesLong is a day of images as agents have them: `make images`.
var imagesLong = flag.Bool("images", false, "1,000 calls that repeat 50 images of 1 MB, in TestDayOfImages")

// A day of conversations that grow by an image a turn, all of them sent again with
// each, and the same images in many conversations: with capture.raw the store has each
// image once, and gives every request back byte for byte.
func TestDayOfImages(t *testing.T) {
	images, bytes, conversations, turns := 6, 160<<10, 6, 3
	if *imagesLong {
		images, bytes, conversations, turns = 50, 1<<20, 200, 5
	}
	dir := t.TempDir()
	p := spawn(t, writeConfig(t, rows(provider(t, fakellm.New(fakellm.Config{})), "openai")+fmt.Sprintf(`
listen: 127.0.0.1:0
admin: 127.0.0.1:0
data_dir: %q
journal: {mode: "on", segment_bytes: 16MiB}
capture: {raw: true}
log: {level: error}
`, dir)))
	defer p.killed(t)
	rng := rand.New(rand.NewPCG(1, 2))
	pictures := make([]string, images)
	for i := range pictures {
		b := make([]byte, bytes)
		for j := range b {
			b[j] = byte(rng.Uint32()) // as incompressible as a JPEG
		}
		copy(b, "\xff\xd8\xff\xe0")
		pictures[i] = base64.StdEncoding.EncodeToString(b)
	}
	// Conversations take turns, so that what is sent again was not sent just before.
	var ids []string
	sent := 0
	histories := make([]strings.Builder, conversations)
	bodies := map[string][sha256.Size]byte{} // by call
	for turn := range turns {
		for c := range conversations {
			image := (7*c + turn) % images
			fmt.Fprintf(&histories[c], `{"role":"user","content":[{"type":"text","text":"Conversation %d, turn %d."},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,%s"}}]},`, c, turn, pictures[image])
			body := fmt.Sprintf(`{"model":"mock","messages":[%s{"role":"user","content":"What do you see?"}]}`, histories[c].String())
			fmt.Fprintf(&histories[c], `{"role":"user","content":"What do you see?"},{"role":"assistant","content":"A picture, number %d."},`, turn)
			sent += len(body)
			resp, _, err := send(t, http.MethodPost, p.url+chatPath, body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", resp, err)
			}
			id := resp.Header.Get("X-Spanwire-Call-Id")
			ids = append(ids, id)
			bodies[id] = sha256.Sum256([]byte(body))
			waitStored(t, dir, ids[len(ids)-1:]) // who sends a gigabyte a minute waits for room in memory
		}
	}
	for _, lost := range []string{"spanwire_recorder_dropped", "spanwire_recorder_dropped_bodies", "spanwire_journal_dropped_bodies"} {
		if n := p.count(t, lost); n > 0 {
			t.Errorf("%s is %v", lost, n)
		}
	}
	r, err := store.OpenReader(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read, redacted := 0, 0
	for i, id := range ids {
		if *imagesLong && i%37 > 0 {
			continue // each is megabytes
		}
		call, err := r.Call(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case call.Raw == nil:
			t.Fatalf("call %s came back without its request", id)
		case call.Raw.RequestRedacted:
			redacted++ // in random base64 something looks like a key now and then
		case sha256.Sum256([]byte(call.Raw.Request)) != bodies[id]:
			t.Fatalf("the request of call %s is not what was sent", id)
		}
		read++
	}
	if redacted > read/2 {
		t.Errorf("of %d requests %d had something taken out", read, redacted)
	}
	// A backup has no logs beside its files.
	saved := filepath.Join(t.TempDir(), "saved")
	if _, errOut, err := cli(t, "backup", saved, "--dir", dir); err != nil {
		t.Fatal(err, errOut)
	}
	kept := int64(0)
	files, err := filepath.Glob(filepath.Join(saved, "calls", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		kept += info.Size()
	}
	once := int64(images) * int64(bytes)
	// base64 is compressed to little more than what it is of; then there are the calls.
	if most := once*11/10 + 1<<20 + int64(len(ids))*4096; kept > most {
		t.Errorf("the store takes %d KB, the images once are %d KB", kept>>10, once>>10)
	}
	t.Logf("%d calls sent %d MB of requests with %d images of %d KB: the store takes %.1f MB, %.2f of the images once; at most %s of memory; of %d requests read back %d had something taken out",
		len(ids), sent>>20, images, bytes>>10, float64(kept)/(1<<20), float64(kept)/float64(once), p.memory(), read, redacted)
}

// memory returns the most memory that the program had, where the system tells.
func (p *spawned) memory() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if m := regexp.MustCompile(`VmHWM:\s*(.*)`).FindSubmatch(status); err == nil && m != nil {
		return string(m[1])
	}
	return "an unknown amount"
}
