package httpapi

import (
	"errors"
	"net/http"
	"time"

	"embedseal/app"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/label"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
)

// The members of a revocation.
const (
	memberKind    = "kind"
	memberSubject = "subject"
	memberToken   = "token"
	memberBefore  = "before"
)

type revocationView struct {
	ID        revocation.ID `json:"id"`
	Kind      string        `json:"kind"`
	Subject   string        `json:"subject"`
	Before    *string       `json:"before"`
	ExpiresAt *string       `json:"expires_at"`
	CreatedAt *string       `json:"created_at"`
	Note      string        `json:"note"`
}

func viewRevocation(e revocation.Entry) revocationView {
	return revocationView{
		ID: e.ID, Kind: e.Kind.String(), Subject: e.Subject, Before: stamp(e.Before),
		ExpiresAt: stamp(e.ExpiresAt), CreatedAt: stamp(e.CreatedAt), Note: e.Note,
	}
}

// listRevocations is GET /admin/v1/groups/{group}/revocations.
func (a *Admin) listRevocations(x *exchange) (reply, error) {
	at, err := x.page()
	if err != nil {
		return reply{}, err
	}
	entries, next, err := a.use.Revoker.List(x.Request.Context(), x.by, x.group, at)
	if errors.Is(err, app.ErrPageEnd) {
		err = &token.Invalid{Faults: []token.Fault{{
			Field: paramAfter, Code: token.FaultMalformed, Detail: "must be the next of a page before",
		}}}
	}
	if err != nil {
		return reply{}, err
	}
	return reply{body: newPage(entries, viewRevocation, next)}, nil
}

// revoke is POST /admin/v1/groups/{group}/revocations.
func (a *Admin) revoke(x *exchange) (reply, error) {
	f, err := x.form(memberKind, memberSubject, memberToken, memberBefore, memberNote)
	if err != nil {
		return reply{}, err
	}
	n := a.newRevocation(f)
	if n.Mark, err = x.mark(f, "revocations"); err != nil {
		return reply{}, err
	}
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	made, err := a.use.Revoker.Revoke(x.Request.Context(), x.call, x.by, x.group, n)
	if err != nil {
		return reply{}, ofRevocation(err, n)
	}
	out := reply{body: viewRevocation(made.Entry), replayed: made.Replayed}
	if !made.Replayed {
		out.status = http.StatusCreated
	}
	return out, nil
}

// ofRevocation is err as the fault of a member, where it is that of one.
func ofRevocation(err error, n app.NewRevocation) error {
	fault := func(member, code, detail string) error {
		return &token.Invalid{Faults: []token.Fault{{Field: member, Code: code, Detail: detail}}}
	}
	instead := func() string {
		return "; to take it back all the same, send its fingerprint " + token.FingerprintOf(n.Token).String() + " as subject instead"
	}
	switch {
	case errors.Is(err, key.ErrUnknown):
		return fault(memberSubject, token.FaultUnknown, "must be the id of a key of the group")
	case errors.Is(err, app.ErrUnopened):
		return fault(memberToken, token.FaultUnknown, "no key of this group opens it"+instead())
	case errors.Is(err, token.ErrClaims):
		return fault(memberToken, token.FaultMalformed, "what stands in it are not the claims of an embed token"+instead())
	}
	return err
}

// newRevocation reads what is to be taken back.
func (a *Admin) newRevocation(f *form) app.NewRevocation {
	n := app.NewRevocation{Note: f.words(memberNote, label.CheckNote)}
	if name := f.required(memberKind); name != "" {
		var err error
		if n.Kind, err = revocation.ParseKind(name); err != nil {
			f.fault(memberKind, token.FaultUnknown, "known are token, customer, embed, key")
		}
	}
	if f.given(memberToken) && !f.null(memberToken) {
		n.Token = f.embedToken(n.Kind)
	} else {
		n.Subject = f.subject(n.Kind)
	}
	n.Before = f.time(memberBefore)
	switch {
	case n.Before.IsZero():
	case n.Kind == revocation.Token:
		f.fault(memberBefore, token.FaultMalformed, "a token is taken back whenever it was issued")
	case n.Before.After(a.clock.Now()):
		f.fault(memberBefore, token.FaultMalformed, "is in the future; nothing was issued then")
	case n.Before.Before(time.Unix(0, 0)):
		f.fault(memberBefore, token.FaultMalformed, "is before 1970; nothing was issued then")
	}
	return n
}

// subject is what a revocation of that kind is of.
func (f *form) subject(kind revocation.Kind) string {
	s := f.required(memberSubject)
	switch what := misplaced(s); {
	case s == "":
	case what != "":
		f.fault(memberSubject, token.FaultMalformed, what)
	case kind != revocation.KindUnknown:
		_, err := revocation.ParseSubject(kind, s)
		f.check(memberSubject, err)
	}
	return s
}

// embedToken is the token itself, in place of a subject. No fault repeats it.
func (f *form) embedToken(kind revocation.Kind) jwe.Compact {
	text := f.required(memberToken)
	if f.given(memberSubject) && !f.null(memberSubject) {
		f.fault(memberSubject, token.FaultMalformed, "is given beside token; one of them says which token it is")
	}
	if text == "" {
		return jwe.Compact{}
	}
	if kind != revocation.Token && kind != revocation.KindUnknown {
		f.fault(memberToken, token.FaultMalformed, "is for the kind token only")
		return jwe.Compact{}
	}
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		f.fault(memberToken, token.FaultMalformed, "is no embed token in its one spelling, and is refused wherever it is presented")
	}
	return compact
}
