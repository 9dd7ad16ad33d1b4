package app

import (
	"context"
	"fmt"

	"embedseal/ports"
)

// Overviews says what there is to govern.
type Overviews struct{ groups ports.GroupStore }

// NewOverviews returns an Overviews.
func NewOverviews(groups ports.GroupStore) *Overviews { return &Overviews{groups: groups} }

// Overview is what an operator sees of the whole.
type Overview struct {
	// Groups is how many there are.
	Groups int
}

// Show returns the overview. It is for operators.
//
// Errors: [ErrScope], or what the store answers.
func (o *Overviews) Show(ctx context.Context, by Actor) (Overview, error) {
	if err := by.MayEverywhere(ToRead); err != nil {
		return Overview{}, err
	}
	ids, err := o.groups.Groups(ctx)
	if err != nil {
		return Overview{}, fmt.Errorf("list groups: %w", err)
	}
	return Overview{Groups: len(ids)}, nil
}
