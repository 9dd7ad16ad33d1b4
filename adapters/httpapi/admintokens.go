package httpapi

import (
	"net/http"
	"net/netip"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/iso8601"
	"embedseal/domain/label"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// The members of an API token.
const (
	memberScopes      = "scopes"
	memberExpiresAt   = "expires_at"
	memberExpiresIn   = "expires_in"
	memberNetworks    = "networks"
	memberRestriction = "restriction"
)

func tokenMembers() []string {
	return []string{memberName, memberScopes, memberExpiresAt, memberExpiresIn, memberNetworks, memberRestriction}
}

type tokenView struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	Scopes        []string       `json:"scopes"`
	CreatedAt     *string        `json:"created_at"`
	ExpiresAt     *string        `json:"expires_at"`
	Networks      []netip.Prefix `json:"networks"`
	Restriction   *limitsView    `json:"restriction"`
	PreviousUntil *string        `json:"previous_until"`
	LastUsedAt    *string        `json:"last_used_at"`
	// Token is the text, shown when it is made.
	Token string `json:"token,omitempty"`
}

func (a *Admin) viewToken(v app.TokenView) tokenView {
	t := v.Token
	out := tokenView{
		ID: t.ID, Name: t.Name, Scopes: list(t.Scopes.Names()), CreatedAt: stamp(t.CreatedAt), ExpiresAt: stamp(t.ExpiresAt),
		Networks: list(t.Networks), Restriction: viewRestriction(t.Restriction), LastUsedAt: stamp(t.LastUsedAt),
	}
	if a.clock.Now().Before(t.PreviousUntil) {
		out.PreviousUntil = stamp(t.PreviousUntil)
	}
	return out
}

func (a *Admin) issued(t app.IssuedToken) reply {
	body := a.viewToken(t.TokenView)
	body.Token = t.Text.Reveal()
	return reply{body: body, tag: t.Tag, replayed: t.Replayed}
}

// listTokens is GET /admin/v1/groups/{group}/tokens.
func (a *Admin) listTokens(x *exchange) (reply, error) {
	at, err := x.page()
	if err != nil {
		return reply{}, err
	}
	views, next, err := a.use.Tokens.List(x.Request.Context(), x.by, x.group, at)
	if err != nil {
		return reply{}, err
	}
	return reply{body: newPage(views, a.viewToken, next)}, nil
}

// createToken is POST /admin/v1/groups/{group}/tokens.
func (a *Admin) createToken(x *exchange) (reply, error) {
	f, err := x.form(tokenMembers()...)
	if err != nil {
		return reply{}, err
	}
	n := app.NewToken{Name: f.words(memberName, label.CheckName)}
	if !f.given(memberName) || f.null(memberName) {
		f.fault(memberName, token.FaultRequired, "a string is required")
	}
	n.Scopes = f.scopes()
	n.ExpiresAt = a.expiry(f)
	n.Networks = f.networks()
	if r := f.object(memberRestriction, limitMembers()...); r != nil {
		n.Restriction = restrictionPatch(r)(policy.Restriction{})
	}
	if n.Mark, err = x.mark(f, "tokens"); err != nil {
		return reply{}, err
	}
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	made, err := a.use.Tokens.Create(x.Request.Context(), x.call, x.by, x.group, n)
	if err != nil {
		return reply{}, within(memberRestriction, inField(memberName, apitoken.ErrInvalid, err))
	}
	out := a.issued(made)
	if !made.Replayed {
		out.status, out.location = http.StatusCreated, groupsPath+"/"+string(x.group)+"/tokens/"+made.Token.ID
	}
	return out, nil
}

// scopes is the list of scopes, which has to be there.
func (f *form) scopes() apitoken.Scopes {
	before := len(f.faults.known)
	words := f.texts(memberScopes, 16)
	if len(words) == 0 {
		if len(f.faults.known) == before {
			f.fault(memberScopes, token.FaultRequired, "at least one scope is required")
		}
		return 0
	}
	scopes, err := apitoken.ParseScopes(words...)
	if err != nil {
		f.fault(memberScopes, token.FaultUnknown, "known are mint, verify, read, write, reveal, read-only, read-write")
	}
	return scopes
}

func (f *form) networks() []netip.Prefix {
	texts := f.texts(memberNetworks, apitoken.MaxNetworks)
	networks, err := apitoken.ParseNetworks(texts...)
	f.check(memberNetworks, err)
	return networks
}

// expiry is when a token ends that is told so in one of two ways, or in none:
// then it is zero.
func (a *Admin) expiry(f *form) time.Time {
	now := a.clock.Now().UTC().Truncate(time.Second)
	at, in := f.time(memberExpiresAt), f.duration(memberExpiresIn)
	switch {
	case !at.IsZero() && in != iso8601.Duration{}:
		f.fault(memberExpiresIn, token.FaultMalformed, "expires_at is given, too; keep one of them")
	case in != iso8601.Duration{}:
		end, err := in.AddTo(now)
		if err != nil {
			f.fault(memberExpiresIn, token.FaultOverflow, "ends after the year 9999")
		}
		return end
	case !at.IsZero() && (!at.After(now) || at.Year() > lastYear):
		f.fault(memberExpiresAt, token.FaultMalformed, "is past, or after the year 9999; to end a token now, revoke it")
	}
	return at
}

// lastYear is the last that a time in an answer can have.
const lastYear = 9999

// showToken is GET /admin/v1/groups/{group}/tokens/{token}.
func (a *Admin) showToken(x *exchange) (reply, error) {
	if x.absent != nil {
		return reply{}, x.absent
	}
	v, err := a.use.Tokens.Show(x.Request.Context(), x.by, x.group, x.token)
	if err != nil {
		return reply{}, err
	}
	return reply{body: a.viewToken(v), tag: v.Tag}, nil
}

// updateToken is PATCH /admin/v1/groups/{group}/tokens/{token}.
func (a *Admin) updateToken(x *exchange) (reply, error) {
	f, err := x.form(tokenMembers()...)
	if err != nil {
		return reply{}, err
	}
	var patch app.TokenPatch
	if f.given(memberName) {
		patch.Name = new(f.words(memberName, label.CheckName))
	}
	if f.given(memberScopes) {
		patch.Scopes = new(f.scopes())
	}
	if f.given(memberExpiresAt) || f.given(memberExpiresIn) {
		patch.ExpiresAt = new(a.expiry(f))
	}
	if f.given(memberNetworks) {
		patch.Networks = new(f.networks())
	}
	if f.null(memberRestriction) {
		patch.Restrict = func(policy.Restriction) policy.Restriction { return policy.Restriction{} }
	} else if r := f.object(memberRestriction, limitMembers()...); r != nil {
		patch.Restrict = restrictionPatch(r)
	}
	match := x.match(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	v, err := a.use.Tokens.Update(x.Request.Context(), x.call, x.by, x.group, x.token, match, patch)
	if err != nil {
		return reply{}, within(memberRestriction, inField(memberName, apitoken.ErrInvalid, err))
	}
	return reply{body: a.viewToken(v), tag: v.Tag}, nil
}

// revokeToken is DELETE /admin/v1/groups/{group}/tokens/{token}.
func (a *Admin) revokeToken(x *exchange) (reply, error) {
	f := emptyForm()
	match := x.match(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	if err := a.use.Tokens.Revoke(x.Request.Context(), x.call, x.by, x.group, x.token, match); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// refreshOverlap is how long the value before a refresh stays good unless the
// request says.
const refreshOverlap = "PT1H"

// refreshToken is POST /admin/v1/groups/{group}/tokens/{token}/refresh.
func (a *Admin) refreshToken(x *exchange) (reply, error) {
	f, err := x.optionalForm(memberOverlap)
	if err != nil {
		return reply{}, err
	}
	overlap := f.overlap(memberOverlap)
	if overlap == nil {
		hour, err := iso8601.Parse(refreshOverlap)
		f.check(memberOverlap, err) // a constant that a test parses
		overlap = &hour
	}
	mark, err := x.mark(f, "refresh/"+x.token)
	if err != nil {
		return reply{}, err
	}
	match := x.match(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	done, err := a.use.Tokens.Refresh(x.Request.Context(), x.call, x.by, x.group, x.token, match, *overlap, mark)
	if err != nil {
		return reply{}, inField(memberOverlap, apitoken.ErrInvalid, err)
	}
	return a.issued(done), nil
}
