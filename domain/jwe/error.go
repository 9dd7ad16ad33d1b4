package jwe

import "errors"

// ErrMalformed is wrapped by every refusal of this package.
var ErrMalformed = errors.New("malformed token")

// Error is a refusal: which check failed, and why.
type Error struct {
	// Check is the short, stable name of the check.
	Check string
	// Detail says in words what is wrong and what would be right. It repeats
	// nothing of the token but a short, quoted piece of its header.
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return ErrMalformed.Error() + ": " + e.Detail }

// Unwrap gives [ErrMalformed].
func (e *Error) Unwrap() error { return ErrMalformed }

// The names of the checks, in the order they are made.
const (
	CheckLength       = "length"
	CheckAlphabet     = "alphabet"
	CheckSegments     = "segments"
	CheckEncryptedKey = "encrypted-key"
	CheckRespelled    = "respelled"
	CheckIV           = "iv-length"
	CheckTag          = "tag-length"
	CheckCiphertext   = "ciphertext"
	CheckHeaderSize   = "header-size"
	CheckHeaderJSON   = "header-json"
	CheckHeaderMember = "header-member"
	CheckAlg          = "alg"
	CheckEnc          = "enc"
	CheckKid          = "kid"
	CheckTyp          = "typ"
	CheckCty          = "cty"
)

func refuse(check, detail string) error { return &Error{Check: check, Detail: detail} }
