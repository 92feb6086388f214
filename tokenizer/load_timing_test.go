//go:build unix

package tokenizer

import (
	"syscall"
	"testing"
	"time"
)

// Loading, in processor time: the clock on the wall says what else the machine does.
func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{o200k, cl100k} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if _, err := loadVocabulary(name, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/1e6/float64(b.N), "cpu-ms/op")
		})
	}
	b.Run("classes", func(b *testing.B) {
		for b.Loop() {
			readClasses()
		}
	})
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
