package main

import (
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tiny is a limit that three requests meet.
func tiny() []string {
	return []string{
		"--rate-token-burst", "2", "--rate-token-per-second", "0.001",
		"--rate-failure-burst", "2", "--rate-failure-per-second", "0.001",
	}
}

// statuses asks n times, with a good token and then with none.
func statuses(t *testing.T, w world, args []string, n int) map[int]int {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	s := w.serve(t, append([]string{"--data-dir", dir}, args...)...)
	defer s.stop(t)
	seen := map[int]int{}
	for range n {
		for _, apiToken := range []string{made.APIToken, "none"} {
			a := post(t, s.address, apiToken, goodBody)
			seen[a.status]++
			if a.status != http.StatusTooManyRequests {
				continue
			}
			if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 1 || a.Code != "rate_limited" || a.JWT != "" {
				t.Errorf("Retry-After %q, %s", a.header.Get("Retry-After"), a.text)
			}
		}
	}
	return seen
}

func TestRequestsBeyondTheBurstAreRefused(t *testing.T) {
	if got := statuses(t, world{}, tiny(), 5); got[http.StatusOK] != 2 || got[http.StatusUnauthorized] != 2 || got[http.StatusTooManyRequests] != 6 {
		t.Errorf("got %v", got)
	}
}

func TestTheLimiterIsTurnedOffInEachOfThreePlaces(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "off.yaml"), "rate_limit: off\n")
	for name, test := range map[string]struct {
		world
		args []string
	}{
		"the environment":                {world{environ: []string{"EMBEDSEAL_RATE_LIMIT=off"}}, nil},
		"the file":                       {world{}, []string{"--config", path}},
		"the flag":                       {world{}, []string{"--rate-limit", "off"}},
		"the flag, over the environment": {world{environ: []string{"EMBEDSEAL_RATE_LIMIT=on"}}, []string{"--rate-limit=off"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := statuses(t, test.world, append(tiny(), test.args...), 25); got[http.StatusOK] != 25 || got[http.StatusUnauthorized] != 25 {
				t.Errorf("got %v", got)
			}
		})
	}
	got := statuses(t, world{environ: []string{"EMBEDSEAL_RATE_LIMIT=off"}}, append(tiny(), "--rate-limit", "on"), 5)
	if got[http.StatusTooManyRequests] == 0 {
		t.Errorf("a flag that turns it on again: %v", got)
	}
}

func TestTheDefaultLimitIsNot180AMinute(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeFile)
	s := serve(t, "--data-dir", dir, "--store", "file")
	for i := range 400 {
		if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
			t.Fatalf("request %d: %s", i+1, a.text)
		}
	}
	if n := strings.Count(contents(t, filepath.Join(dir, "audit.log")), `"action":"mint"`); n != 400 {
		t.Errorf("%d of 400 mints are recorded", n)
	}
}
