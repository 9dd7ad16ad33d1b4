package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/datadir"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
)

func TestAServerReplacesTheDefaultKeyThatIsDue(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			made := initialise(t, dir, store)
			rotateEvery(t, dir, store, "PT1S")
			time.Sleep(time.Second)
			s := serve(t, "--data-dir", dir, "--store", store)
			for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.stderr.String(), "rotated"); {
				if time.Now().After(deadline) {
					t.Fatalf("nothing was rotated:\n%s", s.stderr.String())
				}
				time.Sleep(10 * time.Millisecond)
			}
			a := post(t, s.address, made.APIToken, goodBody)
			if kid := inspected(t, a.JWT, "").Header.Kid; kid == made.KeyID || a.status != 200 {
				t.Errorf("sealed with %s: %d %s", kid, a.status, a.text)
			}
			s.stop(t)
			ring := ringOf(t, dir, store)
			old, _ := ring.Find(ring.Keys()[0].ID)
			if ring.Len() < 2 || string(old.ID) != made.KeyID || old.RetiresAt.IsZero() || !old.SafeToDestroyAt.After(old.RetiresAt) {
				t.Errorf("the ring has %d keys, the first is %+v", ring.Len(), old)
			}
			var recorded []any
			for _, record := range auditLines(t, filepath.Join(dir, "audit.log")) {
				if record["action"] == "rotate_key" && record["operator"] == "schedule" {
					recorded = append(recorded, record["outcome"])
				}
			}
			if len(recorded) < 2 || recorded[0] != "intent" || recorded[1] != "granted" {
				t.Errorf("recorded are %v", recorded)
			}
		})
	}
}

// rotateEvery has the first group of a store that is not served rotate that often.
func rotateEvery(t *testing.T, dir, store, every string) {
	t.Helper()
	master, err := datadir.At(dir).Read(datadir.MasterKey)
	if err != nil {
		t.Fatal(err)
	}
	s, release, err := openSealed(t.Context(), store, datadir.At(dir), master)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	d, err := iso8601.Parse(every)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Groups.UpdateGroup(t.Context(), firstGroup, func(g group.Group) (group.Group, error) {
		g.RotateEvery = d
		return g, nil
	}); err != nil {
		t.Fatal(err)
	}
}
