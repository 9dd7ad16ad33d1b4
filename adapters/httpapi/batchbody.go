package httpapi

import (
	"errors"
	"fmt"

	"embedseal/domain/strictjson"
	"embedseal/domain/token"
)

// The members of a batch.
const (
	memberDefaults = "defaults"
	memberRequests = "requests"
)

// batch is a request for many tokens: what all of them have in common, and the text
// of each item, which was proved to be JSON and is not read yet.
type batch struct {
	defaults token.Draft
	items    [][]byte
}

// decodeBatch reads the body of a batch of at most so many items as the rate limit
// can ever let pass; zero stands for no limit. What is wrong with the items is for
// each of them to say; what is wrong around them, the defaults included, refuses the
// whole.
func decodeBatch(body []byte, limit int) (batch, error) {
	var b batch
	members := []string{memberDefaults, memberRequests}
	var faults faultList
	given, unknown := false, 0
	items, err := strictjson.Envelope(body, memberRequests, func(name string, v strictjson.Value) error {
		switch {
		case name == memberRequests && v.Kind() != strictjson.Null:
			given = true
			wrongType(&faults.known, name, v, "an array of objects")
		case name == memberRequests:
		case name == memberDefaults:
			b.defaults = defaultsOf(&faults, v)
		default:
			if unknown++; unknown <= maxUnknown {
				faults.unknown = append(faults.unknown, unknownMember(name, members))
			}
		}
		return nil
	})
	if unknown > maxUnknown {
		faults.unknown = append(faults.unknown, moreUnknown(unknown-maxUnknown))
	}
	var detailed *strictjson.Error
	if errors.As(err, &detailed) {
		return batch{}, jsonFailure(detailed, append(members, token.Fields()...))
	}
	if err != nil {
		return batch{}, err
	}
	if !given {
		countItems(&faults, len(items), limit)
	}
	if err := faults.err(); err != nil {
		return batch{}, err
	}
	b.items = items
	return b, nil
}

// countItems refuses none, too many, and more than could ever pass: to be told to
// wait for that would be to wait in vain.
func countItems(faults *faultList, n, limit int) {
	fault := func(code, detail string) {
		faults.known = append(faults.known, token.Fault{Field: memberRequests, Code: code, Detail: detail})
	}
	switch {
	case n == 0:
		fault(token.FaultRequired, "an array of at least one request is required")
	case n > MaxBatch:
		fault(token.FaultTooLong, fmt.Sprintf("has %d elements, at most %d are allowed", n, MaxBatch))
	case limit > 0 && n > limit:
		fault(token.FaultTooLong, fmt.Sprintf("has %d elements, and the rate limit lets an API token have %d at once at most", n, limit))
	}
}

// defaultsOf reads the defaults. They are judged on their own, so that a mistake in
// them is answered once and not a thousand times.
func defaultsOf(faults *faultList, v strictjson.Value) token.Draft {
	switch v.Kind() {
	case strictjson.Null:
		return token.Draft{}
	case strictjson.Map:
	default:
		wrongType(&faults.known, memberDefaults, v, "an object or null")
		return token.Draft{}
	}
	draft, err := decodeDraft(v.Raw())
	if err != nil { // it was proved with what is around it
		faults.known = append(faults.known, token.Fault{Field: memberDefaults, Code: token.FaultMalformed, Detail: "cannot be read"})
		return token.Draft{}
	}
	left := "left to the items"
	_, err = token.NewRequest(draft.Or(token.Draft{ProvidedID: &left, EmbedID: &left}))
	var invalid *token.Invalid
	if errors.As(err, &invalid) {
		for _, f := range invalid.Faults {
			if f.Field != notShown {
				f.Field = memberDefaults + "." + f.Field
			}
			faults.known = append(faults.known, f)
		}
	}
	return draft
}
