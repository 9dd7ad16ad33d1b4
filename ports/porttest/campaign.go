package porttest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// LongFactor is the share of its full length that a long test runs, one that is
// called TestCampaign…: EMBEDSEAL_LONG, above 0. Where that is not set the test
// ends here, skipped.
func LongFactor(t testing.TB) float64 {
	t.Helper()
	text := os.Getenv("EMBEDSEAL_LONG")
	if text == "" {
		t.Skip("a long campaign: set EMBEDSEAL_LONG=1 to run it")
	}
	factor, err := strconv.ParseFloat(text, 64)
	if err != nil || !(factor > 0) {
		t.Fatalf("EMBEDSEAL_LONG is a factor on the length of campaigns, not %q", text)
	}
	return factor
}

// LongRounds is LongFactor of full, and least at least.
func LongRounds(t testing.TB, full, least int) int {
	t.Helper()
	return max(least, int(LongFactor(t)*float64(full)))
}

// Seed is EMBEDSEAL_SEED, to repeat a run, or a new one, and is printed.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) % 1e9
	if text := os.Getenv("EMBEDSEAL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 32); err != nil {
			t.Fatalf("EMBEDSEAL_SEED: %v", err)
		}
	}
	t.Logf("EMBEDSEAL_SEED=%d", seed)
	return seed
}
