package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

// office is a bench with what administers groups and API tokens, and a clock that
// can be moved.
type office struct {
	*bench
	clock  *movable
	groups *app.Groups
	tokens *app.Tokens
	uses   *app.LastUse
	auth   *app.Authenticator
}

func newOffice() *office {
	b := &office{bench: newBench(), clock: &movable{now()}}
	changes := app.NewChanges(b.log, b.clock, b.random, func(error) string { return "some_code" })
	defaults := app.NewDefaultKeys(b.stores, b.vault, changes, b.clock, b.random)
	b.uses = app.NewLastUse(b.stores, b.clock)
	b.groups = app.NewGroups(b.stores, b.stores, b.vault, defaults, noneRevoked(), changes, b.clock)
	b.tokens = app.NewTokens(b.stores, b.stores, changes, b.uses, b.clock, b.random)
	b.auth = app.NewAuthenticator(b.stores, b.uses, b.clock)
	return b
}

// holding is an actor with an API token of that group.
func holding(g group.ID, scopes apitoken.Scopes) app.Actor {
	return app.Actor{Caller: callerOf(group.Group{ID: g, Policy: policy.Default()}, apitoken.Token{ID: "mine", Scopes: scopes})}
}

// held puts the API token of by into the record of its group, so that a change
// finds it there.
func held(t *testing.T, groups ports.GroupStore, by app.Actor) app.Actor {
	t.Helper()
	own := by.Caller.Token()
	own.Digest = apitoken.DigestOf(secret.New("held " + own.ID + own.Scopes.String()))
	own.CreatedAt = now().Truncate(time.Second)
	by.Caller = callerOf(by.Caller.Group(), own)
	err := groups.UpdateGroup(t.Context(), by.Caller.GroupID(), func(g group.Group) (group.Group, error) {
		others := slices.DeleteFunc(slices.Clone(g.Tokens), func(o apitoken.Token) bool { return o.ID == own.ID })
		g.Tokens = append(others, own)
		return g, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// make makes a group.
func (b *office) make(t *testing.T, id group.ID) app.GroupView {
	t.Helper()
	view, _, err := b.groups.Create(t.Context(), call(), operator(), app.NewGroup{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// outcomes lists what the log says of an action: its outcomes and codes.
func (b *office) outcomes(action audit.Action) []string {
	var all []string
	for _, e := range b.log.of(action) {
		all = append(all, strings.TrimRight(string(e.Outcome)+" "+e.Code, " "))
	}
	return all
}

func TestANewGroupHasAPolicyAHorizonAndADefaultKey(t *testing.T) {
	b := newOffice()
	view, replayed, err := b.groups.Create(t.Context(), call(), operator(), app.NewGroup{ID: "acme"})
	if err != nil || replayed {
		t.Fatalf("replayed %t: %v", replayed, err)
	}
	stored, err := b.stores.GroupStore.Group(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.Comparer(func(a, b iso8601.Duration) bool { return a == b }), cmp.Comparer(func(a, b token.Features) bool { return a == b })}
	want := group.Group{ID: "acme", Name: "acme", Policy: policy.Default(), CreatedAt: now().Truncate(time.Second), Horizon: 30 * 24 * time.Hour}
	for what, got := range map[string]group.Group{"stored": stored, "shown": view.Group} {
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("the group as it is %s (-want +got):\n%s", what, diff)
		}
	}
	if ring := b.ring(t, "acme"); ring.Len() != 1 || ring.DefaultID() == "" || view.Keys != 1 {
		t.Errorf("%d keys, the default is %q, shown are %d", ring.Len(), ring.DefaultID(), view.Keys)
	}
	steps := []string{"record create_group", "create group", "record create_group", "ring", "record create_key", "create key", "update", "record create_key"}
	if diff := cmp.Diff(steps, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	for _, e := range b.log.events {
		if e.Group != "acme" || e.Operator != "socket:uid=1000" || e.RequestID != "r1" {
			t.Errorf("recorded is %+v", e)
		}
	}
	shown, err := b.groups.Show(t.Context(), operator(), "acme")
	if err != nil || shown.Tag != view.Tag || shown.Keys != 1 {
		t.Errorf("shown is %+v (%v), made was %+v", shown, err, view)
	}
}

func TestAGroupThatCannotBeMadeLeavesNoRecord(t *testing.T) {
	b := newOffice()
	wrong := policy.Default()
	wrong.PinnedKey = "k1"
	endless := policy.Default()
	endless.MaxLifetime = duration(t, "P9999Y")
	for what, tt := range map[string]struct {
		by   app.Actor
		n    app.NewGroup
		want error
	}{
		"an id that is none":         {operator(), app.NewGroup{ID: "../x"}, group.ErrInvalid},
		"no id":                      {operator(), app.NewGroup{}, group.ErrInvalid},
		"a name with a NUL":          {operator(), app.NewGroup{ID: "acme", Name: "a\x00"}, group.ErrInvalid},
		"no lifetimes":               {operator(), app.NewGroup{ID: "acme", Policy: &policy.Policy{}}, policy.ErrInvalid},
		"a key that it has not":      {operator(), app.NewGroup{ID: "acme", Policy: &wrong}, policy.ErrInvalid},
		"a maximum without an end":   {operator(), app.NewGroup{ID: "acme", Policy: &endless}, policy.ErrInvalid},
		"a frantic rotation":         {operator(), app.NewGroup{ID: "acme", RotateEvery: duration(t, "PT1H")}, group.ErrInvalid},
		"by an API token":            {holding("globex", apitoken.All), app.NewGroup{ID: "acme"}, app.ErrScope},
		"by an API token of its own": {holding("acme", apitoken.All), app.NewGroup{ID: "acme"}, app.ErrScope},
		"by one who only reads":      {app.Actor{Operator: "o", Rights: app.ToRead}, app.NewGroup{ID: "acme"}, app.ErrScope},
		"by nobody":                  {app.Actor{}, app.NewGroup{ID: "acme"}, app.ErrScope},
	} {
		view, replayed, err := b.groups.Create(t.Context(), call(), tt.by, tt.n)
		if !errors.Is(err, tt.want) || app.Recorded(err) || replayed || view.Group.ID != "" {
			t.Errorf("%s: got %v, want %v", what, err, tt.want)
		}
	}
	if ids, err := b.stores.Groups(t.Context()); err != nil || len(ids) != 0 || len(b.log.events) != 0 {
		t.Errorf("there are the groups %v and %d records (%v)", ids, len(b.log.events), err)
	}
}

func TestAGroupThatIsThereIsNotMadeAgain(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	before := b.ring(t, "acme").DefaultID()
	_, _, err := b.groups.Create(t.Context(), call(), operator(), app.NewGroup{ID: "acme", Name: "again"})
	if !errors.Is(err, ports.ErrExists) || !app.Recorded(err) {
		t.Errorf("got %v, want %v", err, ports.ErrExists)
	}
	if got := b.outcomes(audit.ActionCreateGroup); !slices.Equal(got, []string{"intent", "granted", "intent", "refused some_code"}) {
		t.Errorf("recorded are %q", got)
	}
	if view, err := b.groups.Show(t.Context(), operator(), "acme"); err != nil || view.Group.Name != "acme" || b.ring(t, "acme").DefaultID() != before {
		t.Errorf("the group is %+v (%v)", view, err)
	}
}

func TestAGroupIsMadeOnceForEachMark(t *testing.T) {
	b := newOffice()
	n := app.NewGroup{ID: "acme", Name: "Acme", Mark: mark(t, "k1", "1")}
	first, replayed, err := b.groups.Create(t.Context(), call(), operator(), n)
	if err != nil || replayed {
		t.Fatal(err)
	}
	records := len(b.log.events)
	again, replayed, err := b.groups.Create(t.Context(), call(), operator(), n)
	if err != nil || !replayed || again.Tag != first.Tag || again.Keys != 1 {
		t.Errorf("again: %+v, replayed %t: %v", again, replayed, err)
	}
	if len(b.log.events) != records {
		t.Errorf("asking again left %d records", len(b.log.events)-records)
	}
	n.Mark = mark(t, "k1", "2")
	if _, replayed, err := b.groups.Create(t.Context(), call(), operator(), n); !errors.Is(err, replay.ErrOther) || replayed {
		t.Errorf("the key for another request: got %v, want %v", err, replay.ErrOther)
	}
	n.Mark = mark(t, "k2", "1")
	if _, replayed, err := b.groups.Create(t.Context(), call(), operator(), n); !errors.Is(err, ports.ErrExists) || replayed {
		t.Errorf("another key: got %v, want %v", err, ports.ErrExists)
	}
}

func TestOfTheSameRequestSentManyTimesAtOnceOneMakesTheGroup(t *testing.T) {
	b := newOffice()
	n := app.NewGroup{ID: "acme", Mark: mark(t, "k1", "")}
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 20 {
		all.Go(func() {
			view, replayed, err := b.groups.Create(t.Context(), call(), operator(), n)
			if err != nil || view.Group.ID != "acme" {
				t.Errorf("got %+v and %v", view, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !replayed {
				made++
			}
		})
	}
	all.Wait()
	if made != 1 || b.ring(t, "acme").Len() != 1 {
		t.Errorf("it was made %d times, and has %d keys", made, b.ring(t, "acme").Len())
	}
}

func TestAGroupWhoseKeyCannotBeMadeIsThereWithoutOne(t *testing.T) {
	b := newOffice()
	b.vault.createErr = ports.ErrUnavailable
	if view := b.make(t, "acme"); view.Keys != 0 {
		t.Errorf("shown are %d keys", view.Keys)
	}
	b.vault.createErr = nil
	if _, err := b.minter().Mint(t.Context(), call(), acme(), draft()); err != nil || b.ring(t, "acme").Len() != 1 {
		t.Errorf("the first mint: %d keys and %v", b.ring(t, "acme").Len(), err)
	}
}

func TestWithoutAnAuditRecordNothingOfAGroupChanges(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	b.log.refuse = func(audit.Event) error { return ports.ErrUnavailable }
	name := "changed"
	for what, err := range map[string]error{
		"create": func() error {
			_, _, err := b.groups.Create(t.Context(), call(), operator(), app.NewGroup{ID: "globex"})
			return err
		}(),
		"update": func() error {
			_, err := b.groups.Update(t.Context(), call(), operator(), "acme", "", app.GroupPatch{Name: &name})
			return err
		}(),
		"policy": func() error {
			_, _, err := b.groups.SetPolicy(t.Context(), call(), operator(), "acme", "", charts)
			return err
		}(),
		"delete": b.groups.Delete(t.Context(), call(), operator(), "acme", "", true),
	} {
		if !errors.Is(err, app.ErrAudit) {
			t.Errorf("%s: got %v, want %v", what, err, app.ErrAudit)
		}
	}
	views, _, err := b.groups.List(t.Context(), operator(), app.Page{})
	if err != nil || len(views) != 1 || views[0].Group.Name != "acme" || views[0].Group.Policy.ChartEmbedding {
		t.Errorf("there are %+v (%v)", views, err)
	}
}

// charts is a change of a policy.
func charts(p policy.Policy) (policy.Policy, error) {
	p.ChartEmbedding = true
	return p, nil
}

func TestGroupsAreListedInPages(t *testing.T) {
	b := newOffice()
	var ids []string
	for i := range 7 {
		ids = append(ids, fmt.Sprint("g", i))
		b.make(t, group.ID(ids[i]))
	}
	for _, size := range []int{1, 2, 3, 7, 8, 0, -1, 1 << 30} {
		var got []string
		after := ""
		for pages := 0; ; pages++ {
			views, next, err := b.groups.List(t.Context(), operator(), app.Page{After: after, Limit: size})
			if err != nil || pages > 8 {
				t.Fatalf("page %d of %d: %v", pages, size, err)
			}
			for _, v := range views {
				got = append(got, string(v.Group.ID))
			}
			if after = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", size, diff)
		}
	}
	for after, want := range map[string]int{"g2x": 4, "g6": 0, "zzz": 0, "a": 7, "\x00": 7} {
		if views, next, err := b.groups.List(t.Context(), operator(), app.Page{After: after}); err != nil || len(views) != want || next != "" {
			t.Errorf("after %q: %d groups, want %d (%v)", after, len(views), want, err)
		}
	}
}

// vanishing is a store whose list names a group that is gone when it is read.
type vanishing struct{ ports.GroupStore }

func (v vanishing) Groups(ctx context.Context) ([]group.ID, error) {
	ids, err := v.GroupStore.Groups(ctx)
	return append(ids, "vanished"), err
}

func TestAGroupThatIsDeletedWhileOthersAreListedIsLeftOut(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	groups := app.NewGroups(vanishing{b.stores}, b.stores, b.vault, nil, noneRevoked(), nil, b.clock)
	if views, _, err := groups.List(t.Context(), operator(), app.Page{}); err != nil || len(views) != 1 {
		t.Errorf("listed are %+v (%v)", views, err)
	}
	b.stores.ringErr = ports.ErrCorrupt
	if _, _, err := groups.List(t.Context(), operator(), app.Page{}); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("a damaged ring: got %v", err)
	}
}

func TestANameAndARotationAreChangedAndTheRestStays(t *testing.T) {
	b := newOffice()
	before := b.make(t, "acme")
	name, every, overlap, none := "Röhren & Söhne", duration(t, "P90D"), duration(t, "PT12H"), iso8601.Duration{}
	one, err := b.groups.Update(t.Context(), call(), operator(), "acme", app.Match(before.Tag), app.GroupPatch{Name: &name, RotateEvery: &every, Overlap: &overlap})
	if err != nil || one.Group.Name != name || one.Group.RotateEvery != every || one.Group.Overlap != overlap || one.Tag == before.Tag || one.Keys != 1 {
		t.Fatalf("got %+v and %v", one, err)
	}
	two, err := b.groups.Update(t.Context(), call(), operator(), "acme", app.Match(one.Tag), app.GroupPatch{RotateEvery: &none})
	if err != nil || two.Group.Name != name || !two.Group.RotateEvery.IsZero() || two.Group.Overlap != overlap {
		t.Errorf("got %+v and %v", two, err)
	}
	shown, err := b.groups.Show(t.Context(), holding("acme", apitoken.Read), "acme")
	if err != nil || shown.Tag != two.Tag || shown.Group.CreatedAt != before.Group.CreatedAt || shown.Group.Horizon != before.Group.Horizon {
		t.Errorf("shown is %+v and %v", shown, err)
	}
	if got := b.outcomes(audit.ActionUpdateGroup); !slices.Equal(got, []string{"intent", "granted", "intent", "granted"}) {
		t.Errorf("recorded are %q", got)
	}
	nul := "a\x00"
	for what, tt := range map[string]struct {
		id    group.ID
		match app.Match
		patch app.GroupPatch
		want  error
	}{
		"a name that is none":              {"acme", "", app.GroupPatch{Name: &nul}, group.ErrInvalid},
		"a tag of before":                  {"acme", app.Match(one.Tag), app.GroupPatch{Name: &name}, app.ErrTag},
		"a group that is not there":        {"globex", "", app.GroupPatch{Name: &name}, ports.ErrNotFound},
		"a tag, of what is not there":      {"globex", `"x"`, app.GroupPatch{Name: &name}, ports.ErrNotFound},
		"a group that cannot be one's own": {"../x", "", app.GroupPatch{Name: &name}, ports.ErrNotFound},
	} {
		if _, err := b.groups.Update(t.Context(), call(), operator(), tt.id, tt.match, tt.patch); !errors.Is(err, tt.want) || app.Recorded(err) != (tt.id == "acme") {
			t.Errorf("%s: got %v, want %v, and a record if it is there", what, err, tt.want)
		}
	}
	if again, err := b.groups.Show(t.Context(), operator(), "acme"); err != nil || again.Tag != two.Tag {
		t.Errorf("after what was refused: %+v and %v", again, err)
	}
}

func TestANewPolicyCountsAtOnceAndTheHorizonOnlyGrows(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	set := func(longest string) group.Group {
		t.Helper()
		p, tag, err := b.groups.SetPolicy(t.Context(), call(), operator(), "acme", "", func(p policy.Policy) (policy.Policy, error) {
			p.MaxLifetime = duration(t, longest)
			return p, nil
		})
		if err != nil || p.MaxLifetime != duration(t, longest) {
			t.Fatalf("%s: got %s and %v", longest, p.MaxLifetime, err)
		}
		if shown, same, err := b.groups.Policy(t.Context(), operator(), "acme"); err != nil || same != tag || shown.MaxLifetime != p.MaxLifetime {
			t.Errorf("%s: shown is %s with %s, set was %s (%v)", longest, shown.MaxLifetime, same, tag, err)
		}
		g, err := b.stores.GroupStore.Group(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, tt := range []struct {
		longest string
		horizon time.Duration
	}{{"PT1H", 30 * day}, {"P1Y", 366 * day}, {"P1M", 366 * day}, {"P24M", 744 * day}, {"PT5M", 744 * day}} {
		if g := set(tt.longest); g.Horizon != tt.horizon || g.LongestLifetime() != tt.horizon {
			t.Errorf("after %s the horizon is %s, want %s", tt.longest, g.Horizon, tt.horizon)
		}
	}
}

func TestAPolicyThatIsNoneIsNotSet(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	_, tag, err := b.groups.Policy(t.Context(), holding("acme", apitoken.Read), "acme")
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	pin := func(id key.ID) func(policy.Policy) (policy.Policy, error) {
		return func(p policy.Policy) (policy.Policy, error) {
			p.PinnedKey = id
			return p, nil
		}
	}
	endless := func(p policy.Policy) (policy.Policy, error) {
		p.MaxLifetime = duration(t, "P9999Y")
		return p, nil
	}
	for what, tt := range map[string]struct {
		match app.Match
		next  func(policy.Policy) (policy.Policy, error)
		want  error
	}{
		"a maximum without an end": {"", endless, policy.ErrInvalid},
		"no lifetimes":             {"", func(policy.Policy) (policy.Policy, error) { return policy.Policy{}, nil }, policy.ErrInvalid},
		"a key that is not there":  {"", pin("k9"), policy.ErrInvalid},
		"what next refuses":        {"", func(p policy.Policy) (policy.Policy, error) { return p, boom }, boom},
		"the tag of another state": {`"0123456789abcdef"`, charts, app.ErrTag},
	} {
		if _, _, err := b.groups.SetPolicy(t.Context(), call(), operator(), "acme", tt.match, tt.next); !errors.Is(err, tt.want) || !app.Recorded(err) {
			t.Errorf("%s: got %v, want %v and a record", what, err, tt.want)
		}
	}
	if _, same, err := b.groups.Policy(t.Context(), operator(), "acme"); err != nil || same != tag {
		t.Errorf("the policy has the tag %s, had %s (%v)", same, tag, err)
	}
	if _, _, err := b.groups.SetPolicy(t.Context(), call(), operator(), "acme", app.Match(tag), pin(b.ring(t, "acme").DefaultID())); err != nil {
		t.Errorf("a key that is there: %v", err)
	}
}

func TestAGroupIsDeletedWithItsKeysTheMaterialFirst(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	b.make(t, "globex")
	view, err := b.groups.Show(t.Context(), operator(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.groups.Delete(t.Context(), call(), operator(), "acme", app.Match(view.Tag), false); !errors.Is(err, app.ErrGroupInUse) {
		t.Fatalf("with a key that opens tokens: got %v, want %v", err, app.ErrGroupInUse)
	}
	if err := b.groups.Delete(t.Context(), call(), operator(), "acme", `"x"`, true); !errors.Is(err, app.ErrTag) {
		t.Errorf("with another tag: got %v, want %v", err, app.ErrTag)
	}
	b.vault.destroyErr = ports.ErrUnavailable
	if err := b.groups.Delete(t.Context(), call(), operator(), "acme", "", true); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("while the custody is away: got %v", err)
	}
	if _, err := b.groups.Show(t.Context(), operator(), "acme"); err != nil || b.ring(t, "acme").Len() != 1 {
		t.Fatalf("the group is gone before the material of its key: %v", err)
	}
	b.vault.destroyErr = nil
	if err := b.groups.Delete(t.Context(), call(), operator(), "acme", app.Match(view.Tag), true); err != nil {
		t.Fatal(err)
	}
	if _, err := b.groups.Show(t.Context(), operator(), "acme"); !errors.Is(err, ports.ErrNotFound) || b.ring(t, "acme").Len() != 0 {
		t.Errorf("the group is there: %v", err)
	}
	if ids := b.vault.there; len(ids) != 1 || ids[0] != b.ring(t, "globex").DefaultID() {
		t.Errorf("the custody keeps %q", ids)
	}
	want := []string{"intent", "refused some_code", "intent", "refused some_code", "intent", "failed some_code", "intent", "granted"}
	if diff := cmp.Diff(want, b.outcomes(audit.ActionDeleteGroup)); diff != "" {
		t.Errorf("recorded are (-want +got):\n%s", diff)
	}
	if err := b.groups.Delete(t.Context(), call(), operator(), "acme", "", true); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("again: got %v", err)
	}
}

// TestAGroupIsInUseUntilTheLastTokenOfItsKeysIsOver has a group without a default
// key, as a store may hold one.
func TestAGroupIsInUseUntilTheLastTokenOfItsKeysIsOver(t *testing.T) {
	old, off, gone := newKey("old"), newKey("off"), newKey("gone")
	old.State, old.RetiresAt, old.SafeToDestroyAt = key.Retiring, now().Truncate(time.Second), now().Truncate(time.Second).Add(30*day)
	off.State = key.Disabled
	gone.State, gone.Secret = key.Destroyed, key.Secret{}
	for _, tt := range []struct {
		sentence string
		keys     []key.Key
		later    time.Duration
		policy   string
		want     error
	}{
		{"no keys", nil, 0, "", nil},
		{"an active key", []key.Key{newKey("k1")}, 1000 * day, "", app.ErrGroupInUse},
		{"a disabled and a destroyed key", []key.Key{off, gone}, 0, "", nil},
		{"a retiring key", []key.Key{old, off}, 0, "", app.ErrGroupInUse},
		{"a retiring key, almost over", []key.Key{old}, 30*day - time.Second, "", app.ErrGroupInUse},
		{"a retiring key, over", []key.Key{old, off, gone}, 30 * day, "", nil},
		{"a retiring key of a group whose tokens lived longer once", []key.Key{old}, 30 * day, "P60D", app.ErrGroupInUse},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			b := newOffice()
			g := group.Group{ID: "acme", Policy: policy.Default()}
			if tt.policy != "" {
				g.Policy.MaxLifetime = duration(t, tt.policy)
				g, _ = g.Under(policy.Default())
			}
			if err := b.stores.GroupStore.CreateGroup(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			b.give(t, "acme", "", tt.keys...)
			b.clock.now = b.clock.now.Truncate(time.Second).Add(tt.later)
			if err := b.groups.Delete(t.Context(), call(), operator(), "acme", "", false); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			_, err := b.stores.GroupStore.Group(t.Context(), "acme")
			if there := err == nil; there != (tt.want != nil) {
				t.Errorf("the group is there: %t", there)
			}
		})
	}
}

// TestToAnAPITokenAnotherGroupIsNotThere asks for a group that exists and for one
// that does not, in every way there is.
func TestToAnAPITokenAnotherGroupIsNotThere(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	b.make(t, "globex")
	issued, err := b.tokens.Create(t.Context(), call(), operator(), "globex", app.NewToken{Scopes: apitoken.Mint})
	if err != nil {
		t.Fatal(err)
	}
	records, steps := len(b.log.events), len(b.log.steps)
	by, name, scopes := holding("acme", apitoken.All), "x", apitoken.Mint
	other := issued.Token.ID
	for what, ask := range map[string]func(group.ID) error{
		"show": func(id group.ID) error { _, err := b.groups.Show(t.Context(), by, id); return err },
		"update": func(id group.ID) error {
			_, err := b.groups.Update(t.Context(), call(), by, id, "", app.GroupPatch{Name: &name})
			return err
		},
		"policy": func(id group.ID) error { _, _, err := b.groups.Policy(t.Context(), by, id); return err },
		"set policy": func(id group.ID) error {
			_, _, err := b.groups.SetPolicy(t.Context(), call(), by, id, "", charts)
			return err
		},
		"delete":      func(id group.ID) error { return b.groups.Delete(t.Context(), call(), by, id, "", true) },
		"list tokens": func(id group.ID) error { _, _, err := b.tokens.List(t.Context(), by, id, app.Page{}); return err },
		"show token":  func(id group.ID) error { _, err := b.tokens.Show(t.Context(), by, id, other); return err },
		"create token": func(id group.ID) error {
			_, err := b.tokens.Create(t.Context(), call(), by, id, app.NewToken{Scopes: apitoken.Mint})
			return err
		},
		"update token": func(id group.ID) error {
			_, err := b.tokens.Update(t.Context(), call(), by, id, other, "", app.TokenPatch{Scopes: &scopes})
			return err
		},
		"refresh token": func(id group.ID) error {
			_, err := b.tokens.Refresh(t.Context(), call(), by, id, other, "", iso8601.Duration{}, replay.Mark{})
			return err
		},
		"revoke token": func(id group.ID) error { return b.tokens.Revoke(t.Context(), call(), by, id, other, "") },
	} {
		there, absent := ask("globex"), ask("nobody")
		if !errors.Is(there, ports.ErrNotFound) || strings.ReplaceAll(there.Error(), "globex", "nobody") != fmt.Sprint(absent) {
			t.Errorf("%s: one that exists answers %v, one that does not %v", what, there, absent)
		}
	}
	if views, next, err := b.groups.List(t.Context(), by, app.Page{}); err != nil || next != "" || len(views) != 1 || views[0].Group.ID != "acme" {
		t.Errorf("listed are %+v (%v)", views, err)
	}
	if got := b.log.steps[steps:]; len(b.log.events) != records || !slices.Equal(got, []string{"group", "ring"}) {
		t.Errorf("the store was asked %q, and there are %d new records", got, len(b.log.events)-records)
	}
	if _, found := must(b.stores.GroupStore.Group(t.Context(), "globex")).TokenOf(other); !found {
		t.Error("the token of the other group is gone")
	}
}

// must is a value that a test cannot do without.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnAPITokenDoesInItsGroupWhatItsScopesSay(t *testing.T) {
	b := newOffice()
	b.make(t, "acme")
	name := "changed"
	for _, tt := range []struct {
		scopes      apitoken.Scopes
		read, write bool
	}{
		{apitoken.Mint | apitoken.Verify | apitoken.Reveal, false, false}, {apitoken.ReadOnly, true, false}, {apitoken.Write, false, true}, {apitoken.ReadWrite, true, true},
	} {
		by := held(t, b.stores.GroupStore, holding("acme", tt.scopes))
		_, show := b.groups.Show(t.Context(), by, "acme")
		_, _, list := b.groups.List(t.Context(), by, app.Page{})
		_, _, rules := b.groups.Policy(t.Context(), by, "acme")
		_, _, tokens := b.tokens.List(t.Context(), by, "acme", app.Page{})
		for what, err := range map[string]error{"show": show, "list": list, "policy": rules, "tokens": tokens} {
			if (err == nil) != tt.read || err != nil && !errors.Is(err, app.ErrScope) {
				t.Errorf("%s may %s: %v", tt.scopes, what, err)
			}
		}
		_, update := b.groups.Update(t.Context(), call(), by, "acme", "", app.GroupPatch{Name: &name})
		_, _, set := b.groups.SetPolicy(t.Context(), call(), by, "acme", "", charts)
		for what, err := range map[string]error{"update": update, "set policy": set} {
			if (err == nil) != tt.write || err != nil && !errors.Is(err, app.ErrScope) {
				t.Errorf("%s may %s: %v", tt.scopes, what, err)
			}
		}
		if err := b.groups.Delete(t.Context(), call(), by, "acme", "", true); !errors.Is(err, app.ErrScope) {
			t.Errorf("%s may delete its group: %v", tt.scopes, err)
		}
	}
}
