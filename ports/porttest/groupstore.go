package porttest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

// GroupStores opens the stores under test, with a key store over the same data.
type GroupStores struct {
	// Open returns an empty store, a new one on each call.
	Open func(t *testing.T) (ports.GroupStore, ports.KeyStore)
	// Reopen closes the store last opened and returns one over its data. Nil
	// when the store does not outlive the process: nothing is asked of it then.
	Reopen func(t *testing.T) (ports.GroupStore, ports.KeyStore)
}

// GroupStore runs the contract of [ports.GroupStore].
func GroupStore(t *testing.T, with GroupStores) {
	for _, check := range []struct {
		sentence string
		run      func(*testing.T, GroupStores)
	}{
		{"an unknown group is not found", unknownGroup},
		{"a group is read back as it was written", groupSurvives},
		{"a thousand API tokens are read back", manyTokens},
		{"a group that contradicts itself is refused", invalidGroup},
		{"a group that exists is not created again", existingGroup},
		{"a new group has an empty ring", newGroupRing},
		{"a deleted group is gone with its ring", deletedGroup},
		{"groups are listed in the order of their bytes", listedGroups},
		{"two hundred groups are listed", manyGroups},
		{"change is given what was written last", groupChangeSeesLast},
		{"a change of the id is undone", immutableID},
		{"a failed change writes nothing and its error comes back as it was", failedGroupChange},
		{"what is handed over either way is not shared", groupIsKept},
		{"no concurrent update is lost", concurrentGroups},
		{"of concurrent creations one succeeds", concurrentCreations},
		{"a group and its ring are updated side by side", groupBesideRing},
		{"a cancelled context stops every call", cancelledGroup},
		{"an id that no constructor made is no group", unsafeGroup},
	} {
		t.Run(check.sentence, func(t *testing.T) { check.run(t, with) })
	}
	if with.Reopen != nil {
		t.Run("groups outlive the process", func(t *testing.T) { durableGroup(t, with) })
	}
}

func unknownGroup(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	mustCreate(t, s, newGroup("globex"))
	_, err := s.Group(t.Context(), "acme")
	wantError(t, err, ports.ErrNotFound)
	wantError(t, s.UpdateGroup(t.Context(), "acme", naming("Acme")), ports.ErrNotFound)
	wantError(t, s.DeleteGroup(t.Context(), "acme"), ports.ErrNotFound)
	wantGroups(t, s, "globex")
}

func groupSurvives(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	bare := group.Group{ID: "bare", Policy: policy.Default()}
	for _, want := range []group.Group{everyGroup(t), newGroup("globex"), bare} {
		mustCreate(t, s, want)
		wantGroup(t, s, want)
	}
	want := everyGroup(t)
	want.ID = "globex"
	if err := s.UpdateGroup(t.Context(), "globex", func(group.Group) (group.Group, error) { return want, nil }); err != nil {
		t.Fatal(err)
	}
	wantGroup(t, s, want)
	never, err := s.Group(t.Context(), "globex")
	if err != nil {
		t.Fatal(err)
	}
	if !never.Tokens[0].ExpiresAt.IsZero() || !never.Tokens[0].ValidAt(start().AddDate(500, 0, 0)) {
		t.Errorf("a token that never expires came back with the expiry %v", never.Tokens[0].ExpiresAt)
	}
}

func manyTokens(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	want := newGroup("acme")
	for i := len(want.Tokens); i < group.MaxTokens; i++ {
		want.Tokens = append(want.Tokens, newToken("token-"+strconv.Itoa(i)))
	}
	mustCreate(t, s, want)
	wantGroup(t, s, want)
	full := want
	full.Tokens = append(slices.Clone(want.Tokens), newToken("one more"))
	if err := s.UpdateGroup(t.Context(), "acme", func(group.Group) (group.Group, error) { return full, nil }); err == nil {
		t.Error("one token more than a group may hold was stored")
	}
	wantGroup(t, s, want)
}

func invalidGroup(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	lawless := newGroup("acme")
	lawless.Policy = policy.Policy{}
	if err := s.CreateGroup(t.Context(), lawless); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("a group without lifetimes: got %v, want %v", err, policy.ErrInvalid)
	}
	unwritable := newGroup("acme")
	unwritable.Name = "not UTF-8: \xff"
	if err := s.CreateGroup(t.Context(), unwritable); err == nil {
		t.Error("a name that is not UTF-8 was stored")
	}
	wantGroups(t, s)
	mustCreate(t, s, newGroup("acme"))
	if err := s.UpdateGroup(t.Context(), "acme", func(group.Group) (group.Group, error) { return lawless, nil }); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("an update to no lifetimes: got %v, want %v", err, policy.ErrInvalid)
	}
	wantGroup(t, s, newGroup("acme"))
}

func existingGroup(t *testing.T, with GroupStores) {
	s, keys := with.Open(t)
	mustCreate(t, s, newGroup("acme"))
	mustUpdateRing(t, keys, "acme", adding("k1"))
	second := newGroup("acme")
	second.Name = "second"
	wantError(t, s.CreateGroup(t.Context(), second), ports.ErrExists)
	wantGroup(t, s, newGroup("acme"))
	wantKeys(t, keys, "acme", "k1")
}

func newGroupRing(t *testing.T, with GroupStores) {
	s, keys := with.Open(t)
	mustUpdateRing(t, keys, "acme", adding("left"))
	mustUpdateRing(t, keys, "globex", adding("k1"))
	_, err := s.Group(t.Context(), "acme")
	wantError(t, err, ports.ErrNotFound)
	wantGroups(t, s)
	mustCreate(t, s, newGroup("acme"))
	wantKeys(t, keys, "acme")
	wantKeys(t, keys, "globex", "k1")
}

func deletedGroup(t *testing.T, with GroupStores) {
	s, keys := with.Open(t)
	mustCreate(t, s, newGroup("globex"))
	mustUpdateRing(t, keys, "globex", adding("other"))
	for _, id := range []string{"k1", "k2", "k3"} {
		mustCreate(t, s, newGroup("acme"))
		wantKeys(t, keys, "acme")
		mustUpdateRing(t, keys, "acme", adding(id))
		wantKeys(t, keys, "acme", key.ID(id))
		if err := s.DeleteGroup(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Group(t.Context(), "acme")
		wantError(t, err, ports.ErrNotFound)
		wantError(t, s.DeleteGroup(t.Context(), "acme"), ports.ErrNotFound)
		wantKeys(t, keys, "acme")
		wantGroups(t, s, "globex")
	}
	wantKeys(t, keys, "globex", "other")
}

func listedGroups(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	wantGroups(t, s)
	ids := []group.ID{"b", "a-b", "ab", "a", "-", "0", "z9", "a0", "10", "9", group.ID(strings.Repeat("m", group.MaxID))}
	for _, id := range ids {
		mustCreate(t, s, newGroup(id))
	}
	slices.Sort(ids)
	wantGroups(t, s, ids...)
}

func manyGroups(t *testing.T, with GroupStores) {
	const count = 200
	s, _ := with.Open(t)
	var ids []group.ID
	for i := range count {
		ids = append(ids, group.ID("group-"+strconv.Itoa(i*7919%count)))
		mustCreate(t, s, newGroup(ids[i]))
	}
	slices.Sort(ids)
	wantGroups(t, s, ids...)
	for _, id := range ids {
		wantGroup(t, s, newGroup(id))
	}
}

func groupChangeSeesLast(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	want := newGroup("acme")
	mustCreate(t, s, want)
	for i := range 5 {
		name := "name " + strconv.Itoa(i)
		if err := s.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
			diffGroups(t, want, g)
			return naming(name)(g)
		}); err != nil {
			t.Fatal(err)
		}
		want.Name = name
		wantGroup(t, s, want)
	}
}

func immutableID(t *testing.T, with GroupStores) {
	s, keys := with.Open(t)
	mustCreate(t, s, newGroup("acme"))
	mustUpdateRing(t, keys, "acme", adding("k1"))
	for _, id := range []group.ID{"globex", "", "../x"} {
		want := newGroup("acme")
		want.Name = fmt.Sprintf("renamed %q", id)
		if err := s.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
			g.ID = id
			return naming(want.Name)(g)
		}); err != nil {
			t.Fatal(err)
		}
		wantGroup(t, s, want)
		wantGroups(t, s, "acme")
	}
	wantKeys(t, keys, "acme", "k1")
	wantKeys(t, keys, "globex")
}

func failedGroupChange(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	boom := &errBoom{}
	mustCreate(t, s, newGroup("acme"))
	err := s.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		g.Tokens[0].Name = "changed in place"
		g.Name = "changed"
		return g, boom
	})
	if err != error(boom) { //nolint:errorlint // identity is what is promised
		t.Fatalf("got the error %v, want the one of change, not wrapped", err)
	}
	wantGroup(t, s, newGroup("acme"))
}

func groupIsKept(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	given := newGroup("acme")
	mustCreate(t, s, given)
	given.Tokens[0].Name = "changed by who gave it"
	wantGroup(t, s, newGroup("acme"))

	got, err := s.Group(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	got.Tokens[0].Name = "changed by who got it"
	_ = append(got.Tokens, newToken("second"))
	wantGroup(t, s, newGroup("acme"))

	var returned group.Group
	if err := s.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		returned = g
		returned.Tokens = append(slices.Clone(g.Tokens), newToken("second"))
		return returned, nil
	}); err != nil {
		t.Fatal(err)
	}
	returned.Tokens[1].Name = "changed by who returned it"
	want := newGroup("acme")
	want.Tokens = append(want.Tokens, newToken("second"))
	wantGroup(t, s, want)
	if len(got.Tokens) != 1 || got.Tokens[0].Name != "changed by who got it" {
		t.Error("a later write changed what was handed out")
	}
}
