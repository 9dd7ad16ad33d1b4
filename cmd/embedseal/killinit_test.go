package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"embedseal/ports/porttest"
)

const (
	shortRounds = 30
	longRounds  = 300
)

func TestAKilledInitIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	killInits(t, shortRounds)
}

func TestCampaignKillInit(t *testing.T) {
	killInits(t, porttest.LongRounds(t, longRounds, shortRounds))
}

// killInits kills inits at random moments of their work, some of them twice,
// and demands of the one that is let live that it ends with a store that serves
// and with the token that was not shown yet.
func killInits(t *testing.T, rounds int) {
	t.Helper()
	random := rand.New(rand.NewPCG(porttest.Seed(t), 0))
	var sum struct{ kills, nothing, begun, stored, shown int }
	took := measureInits(t)
	for round := range rounds {
		store := lastingStores()[round%2]
		dir := filepath.Join(t.TempDir(), "data")
		args := []string{"init", "--data-dir", dir, "--store", store, "--output", "json"}
		var shown *initialised
		for range 1 + random.IntN(2) {
			p := start(t, nil, args...)
			time.Sleep(time.Duration(random.Int64N(int64(took[store]))))
			p.signal(t, syscall.SIGKILL)
			o := p.wait(t)
			sum.kills++
			var made initialised
			switch {
			case json.Unmarshal([]byte(o.stdout), &made) == nil:
				sum.shown++
				if made.Created {
					shown = &made
				}
			case exists(filepath.Join(dir, "store.db")), exists(filepath.Join(dir, "store")):
				sum.stored++
			case exists(dir):
				sum.begun++
			default:
				sum.nothing++
			}
		}
		made := decode[initialised](t, execute(t, args...).want(t, exitOK))
		switch {
		case shown == nil && !made.Created:
			t.Fatalf("round %d: nobody was shown the token of %s", round, dir)
		case shown != nil && made.Created && *shown != made:
			t.Fatalf("round %d: two tokens or keys were shown:\n%+v\n%+v", round, *shown, made)
		case shown != nil && shown.KeyID != made.KeyID:
			t.Fatalf("round %d: the key was %s and is %s", round, shown.KeyID, made.KeyID)
		case shown == nil:
			shown = &made
		}
		mints(t, dir, store, shown.APIToken, shown.KeyID)
		for name := range snapshot(t, dir) {
			if strings.HasPrefix(filepath.Base(name), ".") {
				t.Fatalf("round %d: %s was left behind", round, name)
			}
		}
		again := decode[initialised](t, execute(t, args...).want(t, exitOK))
		if again.Created || again.APIToken != "" || again.KeyValue != "" {
			t.Fatalf("round %d: the init after the last still made something", round)
		}
	}
	t.Logf("%d rounds, %d kills: %d before anything was made, %d before there was a store, %d before its token was shown, %d after",
		rounds, sum.kills, sum.nothing, sum.begun, sum.stored, sum.shown)
	if sum.begun+sum.stored == 0 {
		t.Error("the kills came too late or too early to show anything")
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// measureInits is how long an init of each store takes, at its shortest.
func measureInits(t *testing.T) map[string]time.Duration {
	t.Helper()
	took := map[string]time.Duration{}
	binary(t) // not a part of what is measured
	for range 3 {
		for _, store := range lastingStores() {
			began := time.Now()
			execute(t, "init", "--data-dir", filepath.Join(t.TempDir(), "data"), "--store", store).want(t, exitOK)
			if spent := time.Since(began); took[store] == 0 || spent < took[store] {
				took[store] = spent
			}
		}
	}
	return took
}
