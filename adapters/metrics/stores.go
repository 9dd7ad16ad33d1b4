package metrics

import (
	"context"
	"errors"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var (
	_ ports.KeyStore   = (*Stores)(nil)
	_ ports.GroupStore = (*Stores)(nil)
)

// Stores counts the calls of both stores of a backend, and how long they take. It
// belongs below the cache: what the cache answers is no call.
type Stores struct {
	keys     ports.KeyStore
	groups   ports.GroupStore
	registry *Registry
}

// Stores decorates the two stores.
func (r *Registry) Stores(keys ports.KeyStore, groups ports.GroupStore) *Stores {
	return &Stores{keys: keys, groups: groups, registry: r}
}

// Ring implements ports.KeyStore.
func (s *Stores) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	begin := time.Now()
	ring, err := s.keys.Ring(ctx, g)
	s.count("ring", begin, err)
	return ring, err
}

// UpdateRing implements ports.KeyStore.
func (s *Stores) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	begin := time.Now()
	err := s.keys.UpdateRing(ctx, g, change)
	s.count("update_ring", begin, err)
	return err
}

// Group implements ports.GroupStore.
func (s *Stores) Group(ctx context.Context, id group.ID) (group.Group, error) {
	begin := time.Now()
	g, err := s.groups.Group(ctx, id)
	s.count("group", begin, err)
	return g, err
}

// Groups implements ports.GroupStore.
func (s *Stores) Groups(ctx context.Context) ([]group.ID, error) {
	begin := time.Now()
	ids, err := s.groups.Groups(ctx)
	s.count("groups", begin, err)
	return ids, err
}

// CreateGroup implements ports.GroupStore.
func (s *Stores) CreateGroup(ctx context.Context, g group.Group) error {
	begin := time.Now()
	err := s.groups.CreateGroup(ctx, g)
	s.count("create_group", begin, err)
	return err
}

// UpdateGroup implements ports.GroupStore.
func (s *Stores) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	begin := time.Now()
	err := s.groups.UpdateGroup(ctx, id, change)
	s.count("update_group", begin, err)
	return err
}

// DeleteGroup implements ports.GroupStore.
func (s *Stores) DeleteGroup(ctx context.Context, id group.ID) error {
	begin := time.Now()
	err := s.groups.DeleteGroup(ctx, id)
	s.count("delete_group", begin, err)
	return err
}

func (s *Stores) count(method string, begin time.Time, err error) {
	s.registry.calls.WithLabelValues(method, outcome(err)).Inc()
	s.registry.called.WithLabelValues(method).Observe(time.Since(begin).Seconds())
}

// unreadable is the outcome of a call that met a damaged record.
const unreadable = "unreadable"

// methods are the names of the calls that are counted.
func methods() []string {
	return []string{"ring", "update_ring", "group", "groups", "create_group", "update_group", "delete_group"}
}

// outcome is what an error of a store means, in one word. The first that matches
// counts, so an error stands before those it wraps.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	for _, o := range []struct {
		err  error
		word string
	}{
		{ports.ErrNotFound, "not_found"},
		{ports.ErrExists, "exists"},
		{ports.ErrConflict, "conflict"},
		{ports.ErrSealed, "sealed"},
		{ports.ErrReadOnly, "read_only"},
		{ports.ErrDenied, "denied"},
		{ports.ErrCorrupt, unreadable},
		{ports.ErrNotPurged, "not_purged"},
		{ports.ErrUnknownOutcome, "unknown"},
		{ports.ErrUnavailable, "unavailable"},
		{context.Canceled, "given_up"},
		{context.DeadlineExceeded, "given_up"},
	} {
		if errors.Is(err, o.err) {
			return o.word
		}
	}
	return "refused" // the caller's own
}
