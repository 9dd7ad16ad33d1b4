package file

import (
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

var _ ports.GroupStore = (*GroupStore)(nil)

// GroupStore is a ports.GroupStore.
type GroupStore struct{ *sealed.GroupStore }

// NewGroupStore returns the group store of s.
func NewGroupStore(s *Store) *GroupStore { return &GroupStore{sealed.NewGroupStore(s.records)} }
