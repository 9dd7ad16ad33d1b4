package main

import (
	"math"
	"os"
	"runtime"

	"go.uber.org/automaxprocs/maxprocs"
)

// fitProcessors lets a server that a control group holds to one processor, or to a
// part of one, use one at a time. Go would use two: they take what the group grants in
// half of the time and are both stopped for the rest, in which every request waits.
// Held to half a core, one mints a third more than two, and answers four times sooner
// when it is asked too much. What the operator says (GOMAXPROCS) counts, and with more than
// one processor Go's own choice, which follows when the group is changed.
func fitProcessors() {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	_, err := maxprocs.Set(maxprocs.RoundQuotaFunc(func(quota float64) int { return int(math.Ceil(quota)) }))
	if err == nil && runtime.GOMAXPROCS(0) > 1 {
		runtime.SetDefaultGOMAXPROCS()
	}
}
