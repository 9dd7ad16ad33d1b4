package outagetest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports/porttest"
)

const (
	shortLost = 30
	longLost  = 500
)

func TestAWriteWhoseAnswerIsLostIsMadeOnce(t *testing.T) { lostAnswers(t, shortLost) }
func TestCampaignAWriteWhoseAnswerIsLostIsMadeOnce(t *testing.T) {
	lostAnswers(t, porttest.LongRounds(t, longLost, shortLost))
}

// writes is what every write of KV looks like on the wire.
const writes = "PUT /v1/secret/data/"

// lostAnswers drops the answer of each of that many writes after Vault applied
// it, and now and then more than that: the answer to reading back, the request
// that is sent again, another replica's write in between.
func lostAnswers(t *testing.T, rounds int) {
	random := rand.New(rand.NewPCG(porttest.Seed(t), 0))
	s := vaulttest.Dev(t)
	keepVersions(t, s, rounds*3)
	proxy := vaulttest.NewProxy(t, s.Address)
	ours, other := newReplica(t, s, through(proxy)), newReplica(t, s, vault.Config{})
	create(t, other, "acme")

	groupWrites, ringWrites, dropped := 1, 0, 0
	var want []key.ID
	var took latencies
	lastName := ""
	for i := range rounds {
		before := proxy.Dropped()
		spoiled := sync.OnceFunc(func() { spoil(proxy, random) })
		begin := time.Now()
		if i%2 == 0 {
			lastName = fmt.Sprintf("round %d", i)
			err := ours.groups.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
				spoiled()
				g.Name = lastName
				return g, nil
			})
			if err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			groupWrites++
		} else {
			id := key.ID(fmt.Sprintf("k%d", i))
			interfered := false
			err := ours.keys.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
				spoiled()
				if !interfered && random.IntN(4) == 0 { // another replica is faster
					interfered = true
					between := id + "-between"
					if err := other.keys.UpdateRing(t.Context(), "acme", rotate(between)); err != nil {
						t.Error(err)
					}
					want = append(want, between)
					ringWrites++
				}
				return rotate(id)(r)
			})
			if err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			want = append(want, id)
			ringWrites++
		}
		took = append(took, time.Since(begin))
		if proxy.Dropped() == before {
			t.Fatalf("round %d: no answer was dropped", i)
		}
		dropped += proxy.Dropped() - before
		proxy.Pass()
	}
	wantVersions(t, s, "groups/acme", groupWrites)
	wantVersions(t, s, "rings/acme", ringWrites)
	wantRing(t, other, "acme", want)
	if g, err := other.groups.Group(t.Context(), "acme"); err != nil || g.Name != lastName {
		t.Errorf("the group is called %q, and %v; want %q", g.Name, err, lastName)
	}
	t.Logf("%d writes whose answer was lost (%d requests and answers dropped), %d writes of another replica in between: 0 lost, 0 doubled; an update took %s",
		rounds, dropped, len(want)-rounds/2, took)
}

// spoil loses the answer of the next write, and sometimes what follows it. It
// is called when an update has read what it is going to change.
func spoil(proxy *vaulttest.Proxy, random *rand.Rand) {
	switch random.IntN(4) {
	case 0: // and that of reading back
		proxy.DropAnswers(2, "/v1/secret/data/")
	case 1: // the first one does not even arrive
		proxy.DropRequests(1, writes)
		proxy.DropAnswers(1, writes)
	default:
		proxy.DropAnswers(1, writes)
	}
}

// wantRing fails unless the ring has those keys, in that order, and the last is
// the default.
func wantRing(t *testing.T, r replica, g group.ID, want []key.ID) {
	t.Helper()
	ring, err := r.keys.Ring(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	var got []key.ID
	for _, k := range ring.Keys() {
		got = append(got, k.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the keys of %s (-want +got):\n%s", g, diff)
	}
	if len(want) > 0 && ring.DefaultID() != want[len(want)-1] {
		t.Errorf("the default of %s is %s, want %s", g, ring.DefaultID(), want[len(want)-1])
	}
}

func TestWhatIsNotAnUpdateSurvivesALostAnswerToo(t *testing.T) {
	s := vaulttest.Dev(t)
	proxy := vaulttest.NewProxy(t, s.Address)
	ours := newReplica(t, s, through(proxy))
	for _, lost := range []string{"PUT /v1/secret/data/embedseal/groups", "PUT /v1/secret/data/embedseal/rings"} {
		proxy.DropAnswers(1, lost)
		id := group.ID(fmt.Sprintf("g%d", proxy.Seen("")))
		if err := ours.groups.CreateGroup(t.Context(), newGroup(id)); err != nil {
			t.Errorf("create %s, the answer to %s lost: %v", id, lost, err)
		}
		if err := ours.keys.UpdateRing(t.Context(), id, rotate("k1")); err != nil {
			t.Fatal(err)
		}
		wantVersions(t, s, "groups/"+string(id), 1)
		wantVersions(t, s, "rings/"+string(id), 1)
	}
	proxy.Pass()
	create(t, ours, "acme")
	for _, id := range []key.ID{"k1", "k2"} {
		if err := ours.keys.UpdateRing(t.Context(), "acme", rotate(id)); err != nil {
			t.Fatal(err)
		}
	}
	proxy.DropAnswers(1, "PUT /v1/secret/destroy/")
	if err := ours.keys.UpdateRing(t.Context(), "acme", destroy("k1")); err != nil {
		t.Errorf("destroy a key, the answer lost: %v", err)
	}
	if v := versionsOf(t, s, "rings/acme"); v.current != 3 || len(v.writeIDs) != 1 {
		t.Errorf("the ring is at version %d and %d versions hold data, want 3 and 1", v.current, len(v.writeIDs))
	}
	for _, lost := range []string{"DELETE /v1/secret/metadata/embedseal/rings", "DELETE /v1/secret/metadata/embedseal/groups"} {
		proxy.DropAnswers(1, lost)
		if err := ours.groups.DeleteGroup(t.Context(), "acme"); err != nil {
			t.Errorf("delete, the answer to %s lost: %v", lost, err)
		}
		proxy.Pass()
		for _, path := range []string{"groups/acme", "rings/acme"} {
			if a := s.Ask(t, http.MethodGet, "secret/metadata/embedseal/"+path, nil); a.Status != http.StatusNotFound {
				t.Errorf("%s is still there: %d", path, a.Status)
			}
		}
		create(t, ours, "acme")
		if err := ours.keys.UpdateRing(t.Context(), "acme", rotate("k1")); err != nil {
			t.Fatal(err)
		}
	}
}

// destroy takes the material of a key out of the ring; the default moves to the
// last key that is active.
func destroy(id key.ID) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) {
		keys := r.Keys()
		for i := range keys {
			if keys[i].ID == id {
				keys[i].State, keys[i].Secret = key.Destroyed, key.Secret{}
			}
		}
		return key.NewRing(keys, r.DefaultID())
	}
}
