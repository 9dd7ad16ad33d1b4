package verdict

import (
	"fmt"

	"embedseal/domain/token"
)

// FieldToken is the name on the wire of the token that is judged. What is presented
// with it has the names of a mint request: [Fields].
const FieldToken = "jwt"

// Fields lists the names on the wire, in the order of documentation.
func Fields() []string {
	return []string{FieldToken, token.FieldEmbedOrigin, token.FieldEmbedID, token.FieldChartID}
}

// Presented is what a token came with. What is zero was not given, and is not
// compared.
type Presented struct {
	// Origin is that of the page which embeds.
	Origin token.Origin
	// Embed and Chart are what the token is to open.
	Embed, Chart string
}

// Present reads what a token came with; nil is not given. What is given and empty
// is a fault, so that nothing goes uncompared by mistake. The error is a
// [*token.Invalid] with all faults.
func Present(origin, embed, chart *string) (Presented, error) {
	var p Presented
	var faults []token.Fault
	fault := func(field, code, detail string) {
		faults = append(faults, token.Fault{Field: field, Code: code, Detail: detail})
	}
	if origin != nil {
		var err error
		if p.Origin, err = token.ParseOrigin(*origin); err != nil {
			fault(token.FieldEmbedOrigin, token.FaultMalformed, err.Error())
		}
	}
	id := func(field string, given *string) string {
		switch {
		case given == nil:
			return ""
		case *given == "":
			fault(field, token.FaultMalformed, "must not be empty; leave it out or send null")
		case len(*given) > token.MaxID:
			fault(field, token.FaultTooLong, fmt.Sprintf("has %d bytes, at most %d are allowed", len(*given), token.MaxID))
		case !token.Plain(*given):
			fault(field, token.FaultMalformed, "must be valid UTF-8 without control characters")
		default:
			return *given
		}
		return ""
	}
	p.Embed, p.Chart = id(token.FieldEmbedID, embed), id(token.FieldChartID, chart)
	if faults != nil {
		return Presented{}, &token.Invalid{Faults: faults}
	}
	return p, nil
}
