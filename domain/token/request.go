// Package token answers: what does a caller ask to have put into an embed
// token, and what stands in one?
package token

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
)

// The names of the request's members on the wire.
const (
	FieldProvidedID     = "provided_id"
	FieldEmbedID        = "embed_id"
	FieldKeyID          = "key_id"
	FieldExpiration     = "expiration"
	FieldChartID        = "chart_id"
	FieldFeatures       = "rb_allowed_features"
	FieldDisableEditing = "disable_editable_section_editing"
	FieldEmbedOrigin    = "embed_origin"
)

// MaxID is how many bytes of UTF-8 a customer, embed or chart id may have.
const MaxID = 512

// Fields lists the members a request may have.
func Fields() []string {
	return []string{
		FieldProvidedID, FieldEmbedID, FieldKeyID, FieldExpiration,
		FieldChartID, FieldFeatures, FieldDisableEditing, FieldEmbedOrigin,
	}
}

// Draft is a request as it was sent, before anything was checked. nil is
// "absent or null"; for Features that is the opposite of an empty list.
type Draft struct {
	ProvidedID, EmbedID, KeyID, Expiration, ChartID, EmbedOrigin *string
	Features                                                     []string
	DisableEditing                                               *bool
	// Faults are what the transport found wrong already, such as a number
	// where a string belongs. Their fields are not judged again.
	Faults []Fault
}

// Or is d with what it leaves out, or has as null, taken from defaults. The faults
// are d's own: of a member that is wrong no default takes the place, because d is
// refused for it.
func (d Draft) Or(defaults Draft) Draft {
	d.ProvidedID = cmp.Or(d.ProvidedID, defaults.ProvidedID)
	d.EmbedID = cmp.Or(d.EmbedID, defaults.EmbedID)
	d.KeyID = cmp.Or(d.KeyID, defaults.KeyID)
	d.Expiration = cmp.Or(d.Expiration, defaults.Expiration)
	d.ChartID = cmp.Or(d.ChartID, defaults.ChartID)
	d.EmbedOrigin = cmp.Or(d.EmbedOrigin, defaults.EmbedOrigin)
	if d.Features == nil {
		d.Features = defaults.Features
	}
	d.DisableEditing = cmp.Or(d.DisableEditing, defaults.DisableEditing)
	return d
}

// Request is a mint request that can be granted as far as its text goes; the
// group's policy may still refuse it. Only [NewRequest] makes one.
type Request struct {
	customer, embed, chart string
	keyID                  key.ID
	expiration             iso8601.Duration
	features               Features
	disableEditing         Flag
	origin                 Origin
}

// Flag is a yes or no that the caller may have left out. The zero value is
// "left out".
type Flag uint8

// The values of a Flag.
const (
	Unset Flag = iota
	No
	Yes
)

// Customer is the id of the customer to encode: `provided_id`.
func (r Request) Customer() string { return r.customer }

// Embed is the dashboard or report builder that is embedded: `embed_id`.
func (r Request) Embed() string { return r.embed }

// Chart is the one chart that is embedded, or empty: `chart_id`.
func (r Request) Chart() string { return r.chart }

// KeyID names the embed secret to seal with; empty means the group's default.
func (r Request) KeyID() key.ID { return r.keyID }

// Expiration is how long the token shall live; zero means the group's default.
func (r Request) Expiration() iso8601.Duration { return r.expiration }

// Features is what the end user may do: `rb_allowed_features`.
func (r Request) Features() Features { return r.features }

// DisableEditing is `disable_editable_section_editing`.
func (r Request) DisableEditing() Flag { return r.disableEditing }

// Origin is the origin the token is bound to, or zero: `embed_origin`.
func (r Request) Origin() Origin { return r.origin }

// NewRequest checks every field of d and reports all faults at once, in the
// order of [Fields] and other members last, in an [*Invalid].
func NewRequest(d Draft) (Request, error) {
	c := checker{faults: slices.Clone(d.Faults), given: len(d.Faults)}
	r := Request{
		customer: c.id(FieldProvidedID, d.ProvidedID, true),
		embed:    c.id(FieldEmbedID, d.EmbedID, true),
		chart:    c.id(FieldChartID, d.ChartID, false),
	}
	if s, ok := c.text(FieldKeyID, d.KeyID); ok {
		id, err := key.ParseID(s)
		c.check(FieldKeyID, FaultMalformed, err)
		r.keyID = id
	}
	if s, ok := c.text(FieldExpiration, d.Expiration); ok {
		expiration, err := iso8601.Parse(s)
		c.check(FieldExpiration, DurationFault(err), err)
		r.expiration = expiration
	}
	r.features = UnsetFeatures()
	if d.Features != nil && !c.judged(FieldFeatures) {
		features, err := ParseFeatures(d.Features)
		c.check(FieldFeatures, FaultUnknown, err)
		r.features = features
	}
	if d.DisableEditing != nil {
		r.disableEditing = No
		if *d.DisableEditing {
			r.disableEditing = Yes
		}
	}
	if s, ok := c.text(FieldEmbedOrigin, d.EmbedOrigin); ok {
		origin, err := ParseOrigin(s)
		c.check(FieldEmbedOrigin, FaultMalformed, err)
		r.origin = origin
	}
	if len(c.faults) > 0 {
		return Request{}, &Invalid{Faults: inOrder(c.faults)}
	}
	return r, nil
}

// inOrder sorts faults by the order of [Fields]; other members come last, as
// they came.
func inOrder(faults []Fault) []Fault {
	fields := Fields()
	place := func(f Fault) int {
		if i := slices.Index(fields, f.Field); i >= 0 {
			return i
		}
		return len(fields)
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return place(a) - place(b) })
	return faults
}

// DurationFault is the code of the fault that an error of [iso8601.Parse] means.
func DurationFault(err error) string {
	switch {
	case errors.Is(err, iso8601.ErrNotPositive):
		return FaultNotPositive
	case errors.Is(err, iso8601.ErrOverflow):
		return FaultOverflow
	}
	return FaultMalformed
}

// checker collects faults. The first `given` of them came with the draft.
type checker struct {
	faults []Fault
	given  int
}

func (c *checker) judged(field string) bool {
	for _, f := range c.faults[:c.given] {
		if f.Field == field {
			return true
		}
	}
	return false
}

func (c *checker) fault(field, code, detail string) {
	c.faults = append(c.faults, Fault{Field: field, Code: code, Detail: detail})
}

func (c *checker) check(field, code string, err error) {
	if err != nil {
		c.fault(field, code, err.Error())
	}
}

// text returns a value that is present and not yet judged.
func (c *checker) text(field string, value *string) (string, bool) {
	if value == nil || c.judged(field) {
		return "", false
	}
	return *value, true
}

// id takes an opaque id: any text without control characters.
func (c *checker) id(field string, value *string, required bool) string {
	s, ok := c.text(field, value)
	switch {
	case !ok && required && !c.judged(field):
		c.fault(field, FaultRequired, "a string is required")
	case !ok:
	case s == "" && required:
		c.fault(field, FaultRequired, "must not be empty")
	case s == "":
		c.fault(field, FaultMalformed, "must not be empty; leave it out or send null")
	case len(s) > MaxID:
		c.fault(field, FaultTooLong, fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), MaxID))
	case !Plain(s):
		c.fault(field, FaultMalformed, "must be valid UTF-8 without control characters")
	default:
		return s
	}
	return ""
}

// Plain reports whether s is valid UTF-8 without control characters, as ids are.
func Plain(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return false
		}
	}
	return utf8.ValidString(s)
}
