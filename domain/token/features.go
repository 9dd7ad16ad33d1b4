package token

import (
	"errors"
	"fmt"
	"strings"
)

// Feature is one thing that an end user may do in a report builder. Viewing,
// favourites and scheduled e-mails are always allowed and are not features.
type Feature string

// The features, in the order in which they are documented.
const (
	FeatureFilter     Feature = "flt"      // filter reports
	FeatureSort       Feature = "srt"      // sort reports
	FeatureCore       Feature = "core"     // create and edit reports and views; implies the two below
	FeatureCreateView Feature = "crt-view" // add a view inside a built-in report, its data unchanged
	FeatureFork       Feature = "fork"     // save a changed built-in report as a customer report
)

const (
	featureCount = 5
	everything   = "*" // the word for all features, alone in its list

	// MaxFeatureWords is how many words [ParseFeatures] looks at.
	MaxFeatureWords = 16
)

// ErrFeatures says that a list is not one of features.
var ErrFeatures = errors.New("unacceptable features")

// Features is what a token says about the features of a report builder: that
// it says nothing, that all are allowed, or which are.
//
// Nothing said and an empty list are opposites: the first allows everything,
// the second no editing at all. The zero value is the second, the strictest;
// the first is [UnsetFeatures]. Values with the same words in the same order
// are equal under ==.
type Features struct {
	kind  featureKind
	order [featureCount]uint8 // indexes into features() plus one, in the caller's order, then zeros
}

type featureKind uint8

const (
	kindListed featureKind = iota
	kindEverything
	kindUnset
)

// UnsetFeatures is what a caller says who gives no list, or a JSON null:
// everything is allowed, and the claim is left out of the token.
func UnsetFeatures() Features { return Features{kind: kindUnset} }

// ParseFeatures reads a list that a caller did give: the words of the
// constants, letter for letter and in any order, or "*" alone for all of them,
// or none. A word given again counts once, where it stood first. A nil slice is
// a list of no words and so forbids editing; whoever reads JSON keeps null
// apart and answers it with [UnsetFeatures].
//
// It fails with [ErrFeatures] on an unknown word, on "*" beside another word,
// and on more than [MaxFeatureWords] words, repeated ones counted. The error
// names an unknown word by its place and repeats nothing of it.
func ParseFeatures(words []string) (Features, error) {
	if len(words) > MaxFeatureWords {
		return Features{}, fmt.Errorf("%w: %d words are more than %d", ErrFeatures, len(words), MaxFeatureWords)
	}
	var f Features
	n := 0
	for at, word := range words {
		if word == everything {
			f.kind = kindEverything
			continue
		}
		i := indexOf(Feature(word))
		if i == 0 {
			return Features{}, fmt.Errorf("%w: word %d of the list is unknown, known are %s and %s",
				ErrFeatures, at+1, knownWords(), everything)
		}
		if !f.lists(i) {
			f.order[n] = i
			n++
		}
	}
	if f.kind == kindEverything && n > 0 {
		return Features{}, fmt.Errorf("%w: %s stands for all features and cannot stand beside others", ErrFeatures, everything)
	}
	return f, nil
}

// Given reports whether the caller gave a list, so that the token has a claim.
// It is false for [UnsetFeatures] alone.
func (f Features) Given() bool { return f.kind != kindUnset }

// Words is the list as the token carries it, the caller's words once each in
// the caller's order: nil when none was given, empty and not nil when it had no
// words.
func (f Features) Words() []string {
	switch f.kind {
	case kindUnset:
		return nil
	case kindEverything:
		return []string{everything}
	case kindListed:
	}
	words, all := make([]string, 0, featureCount), features()
	for _, i := range f.order {
		if i != 0 {
			words = append(words, string(all[i-1]))
		}
	}
	return words
}

// AppendJSON appends the list as a JSON array without spaces. A list that was
// not given has no JSON, and its claim is to be left out; should it be written
// all the same, it is null.
func (f Features) AppendJSON(dst []byte) []byte {
	switch f.kind {
	case kindUnset:
		return append(dst, "null"...)
	case kindEverything:
		return append(dst, `["`+everything+`"]`...)
	case kindListed:
	}
	all := features()
	dst = append(dst, '[')
	for n, i := range f.order {
		if i == 0 {
			break
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, all[i-1]...)
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

// Allows reports whether the end user may use x. A list with [FeatureCore]
// allows [FeatureCreateView] and [FeatureFork] too. What is not one of the
// constants is never allowed.
func (f Features) Allows(x Feature) bool {
	i := indexOf(x)
	switch {
	case i == 0:
		return false
	case f.kind != kindListed || f.lists(i):
		return true
	case x == FeatureCreateView || x == FeatureFork:
		return f.lists(indexOf(FeatureCore))
	default:
		return false
	}
}

// Expanded is everything that f allows, in the order of the constants; empty
// and not nil when that is nothing.
func (f Features) Expanded() []Feature {
	allowed := make([]Feature, 0, featureCount)
	for _, x := range features() {
		if f.Allows(x) {
			allowed = append(allowed, x)
		}
	}
	return allowed
}

// Within reports whether f allows nothing that ceiling does not. "*" and what was
// not given also allow what is invented later: they are within one another, and
// within no list, not even one of everything that is known today.
func (f Features) Within(ceiling Features) bool {
	if ceiling.kind != kindListed || f.kind != kindListed {
		return ceiling.kind != kindListed
	}
	for _, x := range features() {
		if f.Allows(x) && !ceiling.Allows(x) {
			return false
		}
	}
	return true
}

// Intersect is what both allow. If one is within the other it is that one, in its
// own words; otherwise everything that both allow, in the order of the constants
// and with what [FeatureCore] implies written out. It is not given only if neither
// is.
func (f Features) Intersect(other Features) Features {
	switch {
	case !f.Given():
		return other
	case !other.Given(), f.Within(other):
		return f
	case other.Within(f):
		return other
	}
	var both Features
	n := 0
	for i, x := range features() {
		if f.Allows(x) && other.Allows(x) {
			both.order[n] = uint8(i) + 1
			n++
		}
	}
	return both
}

func (f Features) lists(i uint8) bool {
	for _, listed := range f.order {
		if listed == i {
			return true
		}
	}
	return false
}

func features() [featureCount]Feature {
	return [...]Feature{FeatureFilter, FeatureSort, FeatureCore, FeatureCreateView, FeatureFork}
}

// indexOf counts from one; zero is an unknown feature.
func indexOf(x Feature) uint8 {
	for i, known := range features() {
		if x == known {
			return uint8(i) + 1
		}
	}
	return 0
}

func knownWords() string {
	var words []string
	for _, known := range features() {
		words = append(words, string(known))
	}
	return strings.Join(words, ", ")
}
