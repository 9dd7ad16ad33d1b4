//go:build !race

// The race detector lets pools forget at random: make allocs runs this without it.

package main

import "testing"

// TestAMintTakesFewAllocations holds what a mint leaves to the garbage collector,
// which no timing of a busy machine would show. Whoever adds to it looks for what is
// no longer needed; whoever takes away lowers the bound.
func TestAMintTakesFewAllocations(t *testing.T) {
	run := newBench(t)
	for _, tt := range []struct {
		what string
		do   func()
		most float64
	}{
		{"from the API token's text to the recorded token", run.minting(t), 3},
		{"through the whole handler", run.asking(t), 16},
	} {
		got := testing.AllocsPerRun(300, tt.do)
		t.Logf("%s: %v allocations", tt.what, got)
		if got > tt.most {
			t.Errorf("%s: %v allocations, at most %v are meant", tt.what, got, tt.most)
		}
	}
}
