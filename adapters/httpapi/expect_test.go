package httpapi_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"

	"embedseal/domain/group"
	"embedseal/ports"
)

// expecting is a store that notes which groups it is to expect, and which it is asked for.
type expecting struct {
	ports.GroupStore
	mu    sync.Mutex
	heard []string
}

func (e *expecting) hear(what string, id group.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, what+" "+string(id))
}

func (e *expecting) Expect(id group.ID) { e.hear("expect", id) }

func (e *expecting) Group(ctx context.Context, id group.ID) (group.Group, error) {
	e.hear("find", id)
	return e.GroupStore.Group(ctx, id)
}

// The store hears the group of a request before it is asked for it, and nothing of what
// has no form of an API token.
func TestTheStoreHearsOfAGroupBeforeItIsAsked(t *testing.T) {
	store := &expecting{}
	s := open(t, func(s *setup) { store.GroupStore, s.groups = s.groups, store })
	store.heard = nil
	s.want(t, 1, http.StatusOK, as("acme", "rw"))
	s.want(t, 1, http.StatusUnauthorized, request{body: minimal, headers: []string{"Explo-Authorization: Token ems_acme_x"}})
	store.mu.Lock()
	defer store.mu.Unlock()
	if len(store.heard) < 2 || store.heard[0] != "expect acme" || slices.Index(store.heard, "find acme") != 1 || slices.Contains(store.heard[1:], "expect acme") {
		t.Errorf("the store heard %q", store.heard)
	}
}
