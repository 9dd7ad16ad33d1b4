package group

import (
	"fmt"
	"time"

	"embedseal/domain/iso8601"
)

// The bounds of a rotation: keys are not replaced so often that the ring fills
// with them, and no overlap outlives whoever chose it.
const (
	minRotateEvery = 24 * time.Hour
	maxRotateEvery = 3660 * 24 * time.Hour
	maxOverlap     = 3660 * 24 * time.Hour
)

// DefaultOverlap is how long a replaced key goes on sealing, in a group that
// does not say.
func DefaultOverlap() iso8601.Duration {
	week, err := iso8601.Parse("P7D")
	if err != nil { // a constant that a test parses
		return iso8601.Duration{}
	}
	return week
}

// OverlapOrDefault is the overlap of the group's rotations.
func (g Group) OverlapOrDefault() iso8601.Duration {
	if g.Overlap.IsZero() {
		return DefaultOverlap()
	}
	return g.Overlap
}

// Rotating is the group with other durations of its rotation; zero ones are never
// and [DefaultOverlap]. The error wraps [ErrInvalid]: less than a day, or more
// than ten years.
func (g Group) Rotating(every, overlap iso8601.Duration) (Group, error) {
	g.RotateEvery, g.Overlap = every, overlap
	if err := g.checkRotation(); err != nil {
		return Group{}, err
	}
	return g, nil
}

func (g Group) checkRotation() error {
	every, overlap := g.RotateEvery.UpperBound(), g.Overlap.UpperBound()
	switch {
	case !g.RotateEvery.IsZero() && (every < minRotateEvery || every > maxRotateEvery):
		return fmt.Errorf("%w: the default key can be replaced every day at most, and every ten years at least", ErrInvalid)
	case overlap > maxOverlap:
		return fmt.Errorf("%w: an overlap has at most ten years", ErrInvalid)
	}
	return nil
}
