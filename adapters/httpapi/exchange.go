package httpapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/replay"
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
	// absent is why the path can lead to nothing.
	absent error
	// body is the text of the body, once it was read.
	body []byte
}

// takePath reads the ids of the path. One that no constructor accepts belongs to
// nothing, and is answered like one that is not there, at the same place: see
// [exchange.ready].
func (x *exchange) takePath() {
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
		if what := misplaced(p.Value); what != "" { // no id, and not to be recorded as one
			x.group, x.key, x.token, err = "", "", "", errors.New(what)
		}
		if err != nil {
			x.absent, err = fmt.Errorf("%w: %w", ports.ErrNotFound, err), nil
		}
	}
	x.what.Group, x.what.KeyID, x.what.Target = string(x.group), string(x.key), x.token
	if !x.by.IsOperator() { // recorded under its own group, whatever it asked for
		x.what.Group = ""
	}
}

// ready is everything that is wrong with the request, before it is acted on: what
// is wrong with its members, and then that its path leads nowhere.
func (x *exchange) ready(f *form) error {
	if err := f.faulty(); err != nil {
		return err
	}
	return x.absent
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

// The parameters that several routes know.
const (
	paramLimit = "limit"
	paramAfter = "after"
	paramForce = "force"
)

// maxAfter is the longest id that a page begins behind, in characters.
const maxAfter = 128

// page reads limit and after, where the path leads somewhere.
func (x *exchange) page() (app.Page, error) {
	f := emptyForm()
	at := app.Page{Limit: x.number(f, paramLimit, app.DefaultPage, app.MaxPage)}
	if text, given := x.query[paramAfter]; given {
		if at.After = text[0]; at.After == "" || len(at.After) > maxAfter {
			f.fault(paramAfter, token.FaultMalformed, "must be the next of a page before")
		}
	}
	return at, x.ready(f)
}

// force reads the parameter of what is not done unless it is forced.
func (x *exchange) force(f *form) bool {
	switch text, given := x.query[paramForce]; {
	case !given, text[0] == "false":
		return false
	case text[0] == "true":
		return true
	}
	f.fault(paramForce, token.FaultMalformed, "must be true or false")
	return false
}

// number is a parameter that is a whole number from 1 to most.
func (x *exchange) number(f *form, name string, otherwise, most int) int {
	text, given := x.query[name]
	if !given {
		return otherwise
	}
	n, err := strconv.Atoi(text[0])
	if err != nil || n < 1 || n > most || strconv.Itoa(n) != text[0] {
		f.fault(name, token.FaultMalformed, fmt.Sprintf("must be a whole number from 1 to %d", most))
		return otherwise
	}
	return n
}

// cutAfter is the page of a list in the order in which it was made, and after
// which to ask for more; empty when there are none.
func cutAfter[T any](all []T, at app.Page, id func(T) string) (items []T, next string, err error) {
	if at.After != "" {
		i := slices.IndexFunc(all, func(item T) bool { return id(item) == at.After })
		if i < 0 {
			return nil, "", &token.Invalid{Faults: []token.Fault{{
				Field: paramAfter, Code: token.FaultMalformed, Detail: "must be the next of a page before",
			}}}
		}
		all = all[i+1:]
	}
	if len(all) <= at.Limit {
		return all, "", nil
	}
	return all[:at.Limit], id(all[at.Limit-1]), nil
}

// The headers of changes.
const (
	headerMatch       = "If-Match"
	headerIdempotency = "Idempotency-Key"
)

// match is the condition of a change.
func (x *exchange) match(f *form) app.Match {
	values := x.Request.Header.Values(headerMatch)
	if len(values) == 0 {
		return ""
	}
	text := strings.Join(values, ",")
	if strings.Trim(text, ", \t") == "" { // or it would ask for nothing
		f.fault(headerMatch, token.FaultMalformed, "must be an ETag, or *")
	}
	return app.Match(text)
}

// mark is what makes the same request known again. where is the kind of thing
// that it makes.
func (x *exchange) mark(f *form, where string) (replay.Mark, error) {
	values := x.Request.Header.Values(headerIdempotency)
	if len(values) == 0 {
		return replay.Mark{}, nil
	}
	asked, err := canonical(x.body)
	if err != nil {
		return replay.Mark{}, err
	}
	mark, err := replay.Of(values[0], where, asked)
	if err != nil || len(values) > 1 || values[0] == "" {
		f.fault(headerIdempotency, token.FaultMalformed, fmt.Sprintf("must be 1 to %d characters of printable ASCII, once", replay.MaxKey))
	}
	return mark, nil
}
