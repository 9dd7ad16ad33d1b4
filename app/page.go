package app

import (
	"slices"
	"strings"
)

// The sizes of a page.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Page is a part of a list that is in the order of its ids.
type Page struct {
	// After is the id that the page begins behind; empty for the first page. It need
	// not be there any more.
	After string
	// Limit is the most that the page holds: [DefaultPage] when it is zero, and never
	// more than [MaxPage].
	Limit int
}

// cut is the page of items, which are in the order of their ids, and where the
// next one begins; empty when there is none.
func cut[T any](p Page, items []T, id func(T) string) (page []T, next string) {
	limit := p.Limit
	if limit <= 0 {
		limit = DefaultPage
	}
	limit = min(limit, MaxPage)
	if p.After != "" {
		from, found := slices.BinarySearchFunc(items, p.After, func(item T, after string) int { return strings.Compare(id(item), after) })
		if found {
			from++
		}
		items = items[from:]
	}
	if len(items) <= limit {
		return items, ""
	}
	return items[:limit], id(items[limit-1])
}
