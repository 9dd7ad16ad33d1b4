// Package charset answers: are all characters of this text among those?
package charset

// Set is a set of bytes. The zero value is empty, and nobody changes one that is made.
type Set [4]uint64

// The characters that ids are made of.
const (
	Digits = "0123456789"
	Lower  = "abcdefghijklmnopqrstuvwxyz"
	Upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Of is the set of the bytes of chars.
func Of(chars string) Set {
	var s Set
	for i := range len(chars) {
		s[chars[i]>>6] |= 1 << (chars[i] & 63)
	}
	return s
}

// HasAll reports whether every byte of text is in the set; of the empty text they are.
//
// It looks at the whole text, so bound its length before. And it takes no branch by
// what it reads: ids and tokens are random, and a processor that guesses whether a
// letter or a digit comes next is wrong so often that it costs more than all the rest
// of reading them, once there are more of them than it can learn by heart.
func (s *Set) HasAll(text string) bool {
	in := uint64(1)
	for i := range len(text) {
		in &= s[text[i]>>6] >> (text[i] & 63)
	}
	return in == 1
}
