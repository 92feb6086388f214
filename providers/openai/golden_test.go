package openai_test

import (
	"flag"
	"testing"

	"github.com/spanwire/spanwire/internal/providerstest"
)

var update = flag.Bool("update", false, "rewrite the golden calls in testdata")

func TestGolden(t *testing.T) {
	fs, golden := providerstest.Fixtures(t, nil)
	providerstest.Golden(t, dialect, fs, golden, *update)
}

func TestSuite(t *testing.T) {
	fs, _ := providerstest.Fixtures(t, nil)
	providerstest.Run(t, dialect, fs)
}
