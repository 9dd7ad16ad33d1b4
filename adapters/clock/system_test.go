package clock_test

import (
	"testing"
	"time"

	"embedseal/adapters/clock"
	"embedseal/ports"
)

var _ ports.Clock = clock.System{}

func TestTheSystemClockTellsTheTimeOfTheMachineInUTC(t *testing.T) {
	before := time.Now()
	now := clock.System{}.Now()
	after := time.Now()
	if now.Before(before) || now.After(after) {
		t.Errorf("got %s, want a time from %s to %s", now, before, after)
	}
	if now.Location() != time.UTC {
		t.Errorf("got location %s, want UTC", now.Location())
	}
}
