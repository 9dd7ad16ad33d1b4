package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// KindRow is one row of the table that docs/errors.md is checked against.
type KindRow struct {
	Code, Title string
	Status      int
}

// Kinds lists every top-level code that an answer can have.
func Kinds() []KindRow {
	var rows []KindRow
	for _, k := range kinds() {
		rows = append(rows, KindRow{Code: k.code, Title: k.title, Status: k.status})
	}
	return rows
}

// DecodeDraft reads a request body without a server around it.
func DecodeDraft(body []byte) (token.Draft, error) { return decodeDraft(body) }

// EmbedToken is the embed token of a request that a proxy asks about.
func EmbedToken(header http.Header, rest string) (string, error) { return embedToken(header, rest) }

// What EmbedToken refuses with.
var ErrNoEmbedToken, ErrUnclear = errNoEmbedToken, errUnclear

// HeaderText is an id as the value of a header.
func HeaderText(id string) string { return headerText(id) }

// ListenSocket takes a unix socket without a server behind it.
func ListenSocket(ctx context.Context, path string) (net.Listener, error) {
	return listenSocket(ctx, path)
}

// Surround puts a handler around that of the server; the func it returns takes
// it away.
func (s *Server) Surround(around func(http.Handler) http.Handler) (undo func()) {
	return surround(s.http, around)
}

// Surround puts a handler around that of the listeners.
func (a *Admin) Surround(around func(http.Handler) http.Handler) (undo func()) {
	return surround(a.http, around)
}

// Surround puts a handler around that of the listener.
func (o *Ops) Surround(around func(http.Handler) http.Handler) (undo func()) {
	return surround(o.http, around)
}

func surround(s *http.Server, around func(http.Handler) http.Handler) (undo func()) {
	before := s.Handler
	s.Handler = around(before)
	return func() { s.Handler = before }
}

// Waits lets every request on a connection that is opened from now on have waited
// so long.
func (s *Server) Waits(wait func() time.Duration) {
	s.gate.waits = func(int64) (time.Duration, bool) { return wait(), true }
}

// Crowd is how many connections there are at least in an overload.
const Crowd = gateCrowd

// Open is how many connections the gate counts.
func (s *Server) Open() int { return int(s.gate.open.Load()) }

// Routes are the operations of the administration API: method and path.
func (a *Admin) Routes() [][2]string {
	var all [][2]string
	for _, r := range a.routes() {
		all = append(all, [2]string{r.method, r.path})
	}
	return all
}

// ReadPolicy is what a body makes of a policy, and ReadRestriction of a
// restriction: with what the answer shows of it.
func ReadPolicy(body []byte) (policy.Policy, []byte, error) {
	f, err := newForm(body, policyMembers())
	if err != nil {
		return policy.Policy{}, nil, err
	}
	p := policyPatch(f)(policy.Default())
	shown, err := encoded(viewPolicy(p))
	return p, shown, errors.Join(err, f.faulty(), p.Check())
}

// ReadRestriction is ReadPolicy for a restriction.
func ReadRestriction(body []byte) (policy.Restriction, []byte, error) {
	f, err := newForm(body, limitMembers())
	if err != nil {
		return policy.Restriction{}, nil, err
	}
	r := restrictionPatch(f)(policy.Restriction{})
	shown, err := encoded(viewRestriction(r))
	return r, shown, errors.Join(err, f.faulty(), r.Check())
}

// DecodeVerify reads the body of a verify request.
func DecodeVerify(body []byte) (string, verdict.Presented, error) { return decodeVerify(body) }
