package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/cache"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/ports"
)

// desk is a store that counts the updates of groups, and fails as it is told.
type desk struct {
	*stores
	mu      sync.Mutex
	updates []group.ID
	err     error
	// during runs while an update is under way.
	during func()
}

func (d *desk) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	d.mu.Lock()
	err, during := d.err, d.during
	d.updates = append(d.updates, id)
	d.mu.Unlock()
	if during != nil {
		during()
	}
	if err != nil {
		return err
	}
	return d.stores.GroupStore.UpdateGroup(ctx, id, change)
}

// counted is how many updates were asked for since the last time.
func (d *desk) counted() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.updates)
	d.updates = nil
	return n
}

// used is a store with groups of tokens, and what notes their uses.
type used struct {
	*desk
	clock *movable
	uses  *app.LastUse
	auth  *app.Authenticator
}

func newUsed(t *testing.T) *used {
	t.Helper()
	b := withGroups(t)
	u := &used{desk: &desk{stores: b.stores}, clock: &movable{now()}}
	u.restart()
	return u
}

// restart is another process over the same store.
func (u *used) restart() {
	u.uses = app.NewLastUse(u.desk, u.clock)
	u.auth = app.NewAuthenticator(u.desk, u.uses, u.clock)
}

func (u *used) use(t *testing.T, g string, n byte) {
	t.Helper()
	if _, err := u.auth.Authenticate(t.Context(), tokenText(g, n), 0, home()); err != nil {
		t.Fatal(err)
	}
}

func (u *used) flush(t *testing.T) {
	t.Helper()
	if err := u.uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// last is what the record says of a token.
func (u *used) last(t *testing.T, g group.ID, id string) time.Time {
	t.Helper()
	token, found := must(u.stores.GroupStore.Group(t.Context(), g)).TokenOf(id)
	if !found {
		t.Fatalf("there is no token %s", id)
	}
	return token.LastUsedAt
}

func hour() time.Time { return apitoken.HourOf(now()) }

func TestAThousandRequestsCostOneWriteAnHour(t *testing.T) {
	u := newUsed(t)
	for range 1000 {
		u.use(t, "acme", 1)
		u.use(t, "acme", 2)
		u.use(t, "globex", 9)
	}
	if n := u.counted(); n != 0 {
		t.Fatalf("the requests cost %d writes", n)
	}
	u.flush(t)
	if n := u.counted(); n != 2 {
		t.Errorf("the first flush wrote %d times, want once for each group", n)
	}
	for _, id := range []string{"t1", "t2"} {
		if got := u.last(t, "acme", id); got != hour() {
			t.Errorf("%s was last used at %s, want %s", id, got, hour())
		}
	}
	if got := u.last(t, "acme", "t4"); !got.IsZero() {
		t.Errorf("a token that was never used was used at %s", got)
	}
	for range 59 {
		u.clock.now = u.clock.now.Add(time.Minute)
		u.use(t, "acme", 1)
		u.flush(t)
	}
	if n := u.counted(); n != 0 {
		t.Errorf("within the hour it wrote %d times more", n)
	}
	u.clock.now = u.clock.now.Add(time.Minute)
	u.use(t, "acme", 1)
	u.flush(t)
	if n := u.counted(); n != 1 || u.last(t, "acme", "t1") != hour().Add(time.Hour) || u.last(t, "acme", "t2") != hour() {
		t.Errorf("an hour later: %d writes, last used at %s and %s", n, u.last(t, "acme", "t1"), u.last(t, "acme", "t2"))
	}
	u.flush(t)
	u.clock.now = u.clock.now.Add(10 * time.Hour)
	u.flush(t)
	if n := u.counted(); n != 0 {
		t.Errorf("without a use it wrote %d times", n)
	}
}

func TestARefusedRequestIsNoUseAndOneWithoutTheScopeIs(t *testing.T) {
	u := newUsed(t)
	if _, err := u.auth.Authenticate(t.Context(), tokenText("acme", 3), 0, home()); !errors.Is(err, app.ErrUnauthenticated) {
		t.Fatal(err)
	}
	if _, err := u.auth.Authenticate(t.Context(), tokenText("acme", 2), apitoken.Mint, home()); !errors.Is(err, app.ErrScope) {
		t.Fatal(err)
	}
	u.flush(t)
	if got := u.last(t, "acme", "t3"); !got.IsZero() {
		t.Errorf("a token that has expired was used at %s", got)
	}
	if got := u.last(t, "acme", "t2"); got != hour() {
		t.Errorf("a token that lacks the scope was used at %s", got)
	}
}

func TestWhatCouldNotBeWrittenIsWrittenLater(t *testing.T) {
	for _, away := range []error{ports.ErrUnavailable, ports.ErrConflict, ports.ErrUnknownOutcome, context.DeadlineExceeded} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			u := newUsed(t)
			u.use(t, "acme", 1)
			u.err = away
			for range 3 {
				if err := u.uses.Flush(t.Context()); !errors.Is(err, away) {
					t.Errorf("got %v, want %v", err, away)
				}
			}
			u.clock.now = u.clock.now.Add(time.Hour)
			u.use(t, "acme", 2)
			u.err = nil
			u.flush(t)
			if one, two := u.last(t, "acme", "t1"), u.last(t, "acme", "t2"); one != hour() || two != hour().Add(time.Hour) {
				t.Errorf("last used at %s and %s", one, two)
			}
		})
	}
}

func TestAStoreThatIsAwayIsAskedOnceAndNotForEachGroup(t *testing.T) {
	u := newUsed(t)
	u.use(t, "acme", 1)
	u.use(t, "globex", 9)
	u.err = ports.ErrSealed
	if err := u.uses.Flush(t.Context()); !errors.Is(err, ports.ErrSealed) {
		t.Errorf("got %v, want %v", err, ports.ErrSealed)
	}
	if n := u.counted(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
	u.err = nil
	u.flush(t)
	if one, nine := u.last(t, "acme", "t1"), u.last(t, "globex", "t9"); one != hour() || nine != hour() {
		t.Errorf("last used at %s and %s", one, nine)
	}
}

func TestOneGroupThatFailsKeepsNoOtherFromBeingWritten(t *testing.T) {
	u := newUsed(t)
	u.use(t, "acme", 1)
	u.use(t, "globex", 9)
	broken := &brokenGroup{desk: u.desk, id: "acme"}
	u.uses = app.NewLastUse(broken, u.clock)
	u.auth = app.NewAuthenticator(u.desk, u.uses, u.clock)
	u.use(t, "acme", 1)
	u.use(t, "globex", 9)
	if err := u.uses.Flush(t.Context()); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ports.ErrCorrupt)
	}
	if got := u.last(t, "globex", "t9"); got != hour() {
		t.Errorf("the other group's token was last used at %s", got)
	}
}

type brokenGroup struct {
	*desk
	id group.ID
}

func (b *brokenGroup) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	if id == b.id {
		return ports.ErrCorrupt
	}
	return b.desk.UpdateGroup(ctx, id, change)
}

func TestAReplicaThatMayNotWriteIsSilentAndStillKnowsWhatItSaw(t *testing.T) {
	u := newUsed(t)
	u.use(t, "acme", 1)
	u.use(t, "globex", 9)
	u.err = fmt.Errorf("write: %w", ports.ErrReadOnly)
	u.flush(t)
	if n := u.counted(); n == 0 {
		t.Fatal("it did not try")
	}
	u.clock.now = u.clock.now.Add(24 * time.Hour)
	u.use(t, "acme", 1)
	u.flush(t)
	if err := u.uses.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := u.counted(); n != 0 {
		t.Errorf("it tried %d times more", n)
	}
	tokens := app.NewTokens(u.desk, u.desk, nil, u.uses, u.clock, nil)
	view, err := tokens.Show(t.Context(), operator(), "acme", "t1")
	if err != nil || view.Token.LastUsedAt != hour().Add(24*time.Hour) {
		t.Errorf("shown is a last use at %s (%v)", view.Token.LastUsedAt, err)
	}
}

func TestALaterUseThatAnotherProcessWroteStays(t *testing.T) {
	u := newUsed(t)
	u.use(t, "acme", 1)
	u.use(t, "acme", 2)
	later := hour().Add(5 * time.Hour)
	if err := u.stores.GroupStore.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		g.Tokens = slices.Clone(g.Tokens)
		g.Tokens[0].LastUsedAt = later
		return g, nil
	}); err != nil {
		t.Fatal(err)
	}
	u.flush(t)
	if one, two := u.last(t, "acme", "t1"), u.last(t, "acme", "t2"); one != later || two != hour() {
		t.Errorf("last used at %s and %s", one, two)
	}
	u.counted()
	u.restart()
	u.use(t, "acme", 1)
	u.use(t, "acme", 2)
	if err := u.uses.Close(t.Context()); err != nil || u.counted() != 0 {
		t.Errorf("what the record has already is written again (%v)", err)
	}
}

func TestTheEndWritesAllAndADeletedGroupIsNoFailure(t *testing.T) {
	u := newUsed(t)
	u.use(t, "acme", 1)
	u.flush(t)
	u.clock.now = u.clock.now.Add(30 * time.Minute) // past the full hour, and not an hour after the last write
	u.use(t, "acme", 1)
	u.use(t, "globex", 9)
	u.counted()
	if err := u.stores.DeleteGroup(t.Context(), "globex"); err != nil {
		t.Fatal(err)
	}
	u.clock.now = u.clock.now.Add(30 * time.Minute).Truncate(time.Hour)
	u.use(t, "acme", 2)
	if err := u.uses.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := u.last(t, "acme", "t2"); got != hour().Add(time.Hour) {
		t.Errorf("last used at %s", got)
	}
	u.counted()
	u.flush(t)
	if n := u.counted(); n != 0 {
		t.Errorf("%d writes for what is written, or for what is gone", n)
	}
}

func TestAUseDuringAWriteIsWrittenByTheNext(t *testing.T) {
	u := newUsed(t)
	u.use(t, "acme", 1)
	u.during = func() {
		u.clock.now = now().Add(time.Hour)
		if _, err := u.auth.Authenticate(t.Context(), tokenText("acme", 1), 0, home()); err != nil {
			t.Error(err)
		}
	}
	u.flush(t)
	u.during = nil
	if got := u.last(t, "acme", "t1"); got != hour() {
		t.Errorf("the first write says %s", got)
	}
	if err := u.uses.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := u.last(t, "acme", "t1"); got != hour().Add(time.Hour) {
		t.Errorf("the next one says %s", got)
	}
}

func TestUsesFromEverywhereAtOnceAreNoted(t *testing.T) {
	u := newUsed(t)
	clock := stopped{now()}
	u.uses = app.NewLastUse(u.desk, clock)
	u.auth = app.NewAuthenticator(u.desk, u.uses, clock)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				if i == 0 {
					if err := u.uses.Flush(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if _, err := u.auth.Authenticate(t.Context(), tokenText("acme", byte(1+i%2)), 0, home()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := u.uses.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if one, two := u.last(t, "acme", "t1"), u.last(t, "acme", "t2"); one != hour() || two != hour() {
		t.Errorf("last used at %s and %s", one, two)
	}
}

// TestWhoAuthenticatesAmongAThousandTokensCopiesNone is about the path of every
// request: over a cache, and after its first use in the hour.
func TestWhoAuthenticatesAmongAThousandTokensCopiesNone(t *testing.T) {
	u := newUsed(t)
	if err := u.stores.GroupStore.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		for i := len(g.Tokens); i < group.MaxTokens; i++ {
			g.Tokens = append(g.Tokens, apitoken.Token{ID: fmt.Sprint("x", i), Digest: apitoken.Digest{1, byte(i), byte(i >> 8)}})
		}
		return g, nil
	}); err != nil {
		t.Fatal(err)
	}
	local := cache.NewLocal(u.desk, u.desk)
	auth := app.NewAuthenticator(local, app.NewLastUse(local, stopped{now()}), stopped{now()})
	text, from := tokenText("acme", 1), home()
	allocs := testing.AllocsPerRun(100, func() {
		caller, err := auth.Authenticate(t.Context(), text, apitoken.Mint, from)
		if err != nil || caller.TokenID() != "t1" || caller.Group().Tokens != nil {
			t.Errorf("got %+v and %v", caller.Token(), err)
		}
	})
	if allocs > 1 { // the one is the text as bytes, for its digest
		t.Errorf("it allocates %v times", allocs)
	}
	if g, err := local.Group(t.Context(), "acme"); err != nil || len(g.Tokens) != group.MaxTokens {
		t.Errorf("the group has %d tokens afterwards (%v)", len(g.Tokens), err)
	}
}
