package httpapi

import (
	"errors"
	"net/http"
	"time"

	"embedseal/app"
	"embedseal/domain/key"
	"embedseal/domain/label"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
)

// The members of a revocation.
const (
	memberKind    = "kind"
	memberSubject = "subject"
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
	f, err := x.form(memberKind, memberSubject, memberBefore, memberNote)
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
	if errors.Is(err, key.ErrUnknown) {
		err = &token.Invalid{Faults: []token.Fault{{Field: memberSubject, Code: token.FaultUnknown, Detail: "must be the id of a key of the group"}}}
	}
	if err != nil {
		return reply{}, err
	}
	out := reply{body: viewRevocation(made.Entry), replayed: made.Replayed}
	if !made.Replayed {
		out.status = http.StatusCreated
	}
	return out, nil
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
	n.Subject = f.required(memberSubject)
	switch what := misplaced(n.Subject); {
	case n.Subject == "":
	case what != "":
		f.fault(memberSubject, token.FaultMalformed, what)
	case n.Kind != revocation.KindUnknown:
		_, err := revocation.ParseSubject(n.Kind, n.Subject)
		f.check(memberSubject, err)
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
