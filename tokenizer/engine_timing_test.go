package tokenizer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// Texts of several kinds, written here: what matters is their shape.
var samples = map[string]string{
	"english": strings.Repeat("The harbour was quiet when the first boats came back, and nobody had counted the nets since Tuesday. \"It doesn't matter,\" she said; they'd mended worse in 1987. ", 400),
	"code":    strings.Repeat("func (s *Server) handle(w http.ResponseWriter, r *http.Request) {\n\tif r.Method != http.MethodPost {\n\t\thttp.Error(w, \"method not allowed\", 405)\n\t\treturn\n\t}\n}\n\n", 400),
	"json":    strings.Repeat(`{"id":"call_8f3a","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\",\"days\":3}"},"score":0.9173},`, 500),
	"chinese": strings.Repeat("港口很安静，第一批船回来的时候，没有人再去数渔网。她说：“没关系，我们修补过更糟的。”", 500),
	"russian": strings.Repeat("Гавань была тиха, когда вернулись первые лодки, и никто не считал сетей со вторника. ", 500),
}

func BenchmarkCount(b *testing.B) {
	for _, name := range []string{o200k, cl100k} {
		for _, kind := range []string{"english", "code", "json", "chinese", "russian"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				e, text := encodings[name], samples[kind]
				e.count("")
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					e.count(text)
				}
			})
		}
	}
}

// Runs of one unit, which merge the most: the time a byte must not grow with n.
func BenchmarkRuns(b *testing.B) {
	for _, unit := range []string{"a", "ab", "=", "é", "漢", " \n"} {
		for _, n := range []int{1 << 12, 1 << 15, 1 << 18} {
			b.Run(fmt.Sprintf("%q/%d", unit, n), func(b *testing.B) {
				e, text := encodings[o200k], strings.Repeat(unit, n/len(unit))
				e.count("")
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					e.count(text)
				}
			})
		}
	}
}

// The library that the engine replaced, on the same text.
func BenchmarkLibrary(b *testing.B) {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	enc, err := tiktoken.GetEncoding(o200k)
	if err != nil {
		b.Fatal(err)
	}
	text := samples["english"]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		enc.EncodeOrdinary(text)
	}
}
