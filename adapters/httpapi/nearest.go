package httpapi

import (
	"fmt"

	"embedseal/domain/charset"
	"embedseal/domain/spelling"
	"embedseal/domain/token"
)

// maxShown is the longest unknown name that is repeated although it is near no
// known one. Embed secrets and API tokens are longer.
const maxShown = 20

// maxUnknown is how many unknown members are named one by one, so that neither
// the answer nor the audit record grows with the body.
const maxUnknown = 16

const notShown = "(not shown)"

// unknownMember is the fault of a member that no request has. Its name is
// repeated only when it is short and plain, or a known name mistyped: it may be
// a secret that was pasted into the wrong place.
func unknownMember(name string, known []string) token.Fault {
	near, _ := spelling.Nearest(name, known)
	fault := token.Fault{Field: name, Code: token.FaultMember, Detail: "no such member"}
	if near != "" {
		fault.Detail += fmt.Sprintf("; did you mean %s?", near)
	}
	if !word(name) || near == "" && len(name) > maxShown {
		fault.Field = notShown
	}
	return fault
}

func moreUnknown(n int) token.Fault {
	return token.Fault{Field: notShown, Code: token.FaultMember, Detail: fmt.Sprintf("%d more members that no request has", n)}
}

func word(s string) bool { return s != "" && ofWord.HasAll(s) }

var ofWord = charset.Of(charset.Lower + charset.Upper + charset.Digits + "_-.")
