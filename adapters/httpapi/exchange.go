package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/ports"
)

// exchange is one request to the administration API, and what is known of it so
// far.
type exchange struct {
	*gin.Context
	call app.Call
	by   app.Actor
	// what is what a refusal is recorded as.
	what app.Refusal
	// group, key and token are the ids of the path.
	group group.ID
	key   key.ID
	token string
	query url.Values
	// body is the text of the body, once it was read.
	body []byte
}

// takePath reads the ids of the path. One that no constructor accepts belongs to
// nothing, and is answered so.
func (x *exchange) takePath() error {
	var err error
	for _, p := range x.Params {
		switch p.Key {
		case "group":
			x.group, err = group.ParseID(p.Value)
		case "key":
			x.key, err = key.ParseID(p.Value)
		case "token":
			x.token, err = tokenID(p.Value)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ports.ErrNotFound, err)
		}
	}
	x.what.Group, x.what.KeyID, x.what.Target = string(x.group), string(x.key), x.token
	if !x.by.IsOperator() { // recorded under its own group, whatever it asked for
		x.what.Group = ""
	}
	return nil
}

// maxTokenID is the longest id of an API token, in characters.
const maxTokenID = 64

// tokenID refuses what cannot be the id of an API token.
func tokenID(text string) (string, error) {
	if len(text) > maxTokenID || !word(text) {
		return "", fmt.Errorf("the id of an API token has 1 to %d characters of A-Z, a-z, 0-9, '.', '_' and '-'", maxTokenID)
	}
	return text, nil
}

// takeQuery reads the query. A parameter that the route does not know, or one
// that is given twice, is refused.
func (x *exchange) takeQuery(known []string) error {
	values, err := url.ParseQuery(x.Request.URL.RawQuery)
	if err != nil {
		return &token.Invalid{Faults: []token.Fault{{Field: "query", Code: token.FaultMalformed, Detail: "the query is not well-formed"}}}
	}
	var faults []token.Fault
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	unknown := 0
	for _, name := range names {
		switch {
		case !slices.Contains(known, name):
			if unknown++; unknown <= maxUnknown {
				fault := unknownMember(name, known)
				fault.Detail = strings.Replace(fault.Detail, "no such member", "no such parameter", 1)
				faults = append(faults, fault)
			}
		case len(values[name]) > 1:
			faults = append(faults, token.Fault{Field: name, Code: token.FaultMalformed, Detail: "is given more than once"})
		}
	}
	if faults != nil {
		return &token.Invalid{Faults: faults}
	}
	x.query = values
	return nil
}

// The page of a list.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// page reads limit and after.
func (x *exchange) page() (limit int, after string, err error) {
	limit = defaultLimit
	if text, given := x.query["limit"]; given {
		limit, err = strconv.Atoi(text[0])
		if err != nil || limit < 1 || limit > maxLimit || strconv.Itoa(limit) != text[0] {
			return 0, "", &token.Invalid{Faults: []token.Fault{{
				Field: "limit", Code: token.FaultMalformed, Detail: fmt.Sprintf("must be a whole number from 1 to %d", maxLimit),
			}}}
		}
	}
	return limit, x.query.Get("after"), nil
}
