package httpapi

import (
	"context"
	"net/http"

	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/label"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// The members of a key.
const (
	memberValue   = "value"
	memberLabel   = "label"
	memberNote    = "note"
	memberDefault = "default"
)

type keyView struct {
	ID            key.ID  `json:"id"`
	State         string  `json:"state"`
	Custody       string  `json:"custody"`
	Default       bool    `json:"default"`
	Label         string  `json:"label"`
	Note          string  `json:"note"`
	CreatedAt     *string `json:"created_at"`
	RetiresAt     *string `json:"retires_at"`
	SafeToDestroy *string `json:"safe_to_destroy_at"`
	// Value is shown when the key is made, and never again in this place.
	Value string `json:"value,omitempty"`
	// Warnings say what was done otherwise than it was asked for.
	Warnings []fieldError `json:"warnings,omitempty"`
}

func viewKey(k app.ShownKey) keyView {
	return keyView{
		ID: k.Key.ID, State: k.Key.State.String(), Custody: k.Key.Custody.String(), Default: k.Default,
		Label: k.Key.Label, Note: k.Key.Note, CreatedAt: stamp(k.Key.CreatedAt),
		RetiresAt: stamp(k.Key.RetiresAt), SafeToDestroy: stamp(k.Key.SafeToDestroyAt),
	}
}

// warningTrimmed is the code of a value whose white space was cut off.
const warningTrimmed = "trimmed"

func viewMadeKey(k app.MadeKey) keyView {
	v := viewKey(k.ShownKey)
	v.Value = k.Value.Reveal()
	if k.Trimmed {
		v.Warnings = []fieldError{{Field: memberValue, Code: warningTrimmed, Detail: "the white space around it was cut off"}}
	}
	return v
}

func keyPath(g group.ID, id key.ID) string {
	return groupsPath + "/" + string(g) + "/keys/" + string(id)
}

// listKeys is GET /admin/v1/groups/{group}/keys.
func (a *Admin) listKeys(x *exchange) (reply, error) {
	at, err := x.page()
	if err != nil {
		return reply{}, err
	}
	all, err := a.use.Keys.List(x.Request.Context(), x.by, x.group)
	if err != nil {
		return reply{}, err
	}
	shown, next, err := cutAfter(all, at, func(k app.ShownKey) string { return string(k.Key.ID) })
	if err != nil {
		return reply{}, err
	}
	return reply{body: newPage(shown, viewKey, next)}, nil
}

// createKey is POST /admin/v1/groups/{group}/keys: with a value it imports one.
func (a *Admin) createKey(x *exchange) (reply, error) {
	f, err := x.form(memberID, memberValue, memberLabel, memberNote, memberDefault)
	if err != nil {
		return reply{}, err
	}
	n := app.NewKey{ID: f.keyID(memberID), Default: f.yes(memberDefault)}
	n.Label, n.Note = f.words(memberLabel, label.CheckName), f.words(memberNote, label.CheckNote)
	value := f.text(memberValue)
	if value != nil {
		_, _, err := key.TrimSecret(*value)
		f.check(memberValue, err)
		if f.values == nil || !f.given(memberID) || f.null(memberID) {
			f.fault(memberID, token.FaultRequired, "a value is imported under the id that it has")
		}
	}
	if n.Mark, err = x.mark(f, "keys"); err != nil {
		return reply{}, err
	}
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	x.what.KeyID = string(n.ID)
	var made app.MadeKey
	if value == nil {
		made, err = a.use.Keys.Create(x.Request.Context(), x.call, x.by, x.group, n)
	} else {
		made, err = a.use.Keys.Import(x.Request.Context(), x.call, x.by, x.group, n, secret.New(*value))
	}
	if err != nil {
		return reply{}, err
	}
	out := reply{body: viewMadeKey(made), tag: made.Tag, replayed: made.Replayed}
	if !made.Replayed {
		out.status, out.location = http.StatusCreated, keyPath(x.group, made.Key.ID)
	}
	return out, nil
}

// showKey is GET /admin/v1/groups/{group}/keys/{key}.
func (a *Admin) showKey(x *exchange) (reply, error) {
	if x.absent != nil {
		return reply{}, x.absent
	}
	return shownKey(a.use.Keys.Show(x.Request.Context(), x.by, x.group, x.key))
}

func shownKey(k app.ShownKey, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{body: viewKey(k), tag: k.Tag}, nil
}

// updateKey is PATCH /admin/v1/groups/{group}/keys/{key}.
func (a *Admin) updateKey(x *exchange) (reply, error) {
	f, err := x.form(memberLabel, memberNote)
	if err != nil {
		return reply{}, err
	}
	var patch app.KeyPatch
	if f.given(memberLabel) {
		patch.Label = new(f.words(memberLabel, label.CheckName))
	}
	if f.given(memberNote) {
		patch.Note = new(f.words(memberNote, label.CheckNote))
	}
	match := x.match(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	return shownKey(a.use.Keys.Update(x.Request.Context(), x.call, x.by, x.group, x.key, match, patch))
}

// destroyKey is DELETE /admin/v1/groups/{group}/keys/{key}.
func (a *Admin) destroyKey(x *exchange) (reply, error) {
	f := emptyForm()
	match, force := x.match(f), x.force(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	return shownKey(a.use.Keys.Destroy(x.Request.Context(), x.call, x.by, x.group, x.key, match, force))
}

// step is one of POST /admin/v1/groups/{group}/keys/{key}/default, retire, disable
// and enable.
func (a *Admin) step(take func(context.Context, app.Call, app.Actor, group.ID, key.ID, app.Match) (app.ShownKey, error)) func(*exchange) (reply, error) {
	return func(x *exchange) (reply, error) {
		f, err := x.optionalForm()
		if err != nil {
			return reply{}, err
		}
		match := x.match(f)
		if err := x.ready(f); err != nil {
			return reply{}, err
		}
		return shownKey(take(x.Request.Context(), x.call, x.by, x.group, x.key, match))
	}
}

type revealedView struct {
	ID    key.ID `json:"id"`
	Value string `json:"value"`
}

// revealKey is POST /admin/v1/groups/{group}/keys/{key}/reveal.
func (a *Admin) revealKey(x *exchange) (reply, error) {
	f, err := x.optionalForm()
	if err != nil {
		return reply{}, err
	}
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	k, err := a.use.Keys.Reveal(x.Request.Context(), x.call, x.by, x.group, x.key)
	if err != nil {
		return reply{}, err
	}
	return reply{body: revealedView{ID: k.ID, Value: k.Secret.Reveal()}}, nil
}

// exportKey is GET /admin/v1/groups/{group}/keys/{key}/jwk.
func (a *Admin) exportKey(x *exchange) (reply, error) {
	if x.absent != nil {
		return reply{}, x.absent
	}
	doc, err := a.use.Keys.ExportJWK(x.Request.Context(), x.call, x.by, x.group, x.key)
	if err != nil {
		return reply{}, err
	}
	return reply{text: append(doc, '\n'), contentType: "application/jwk+json"}, nil
}

type rotatedView struct {
	Key           keyView  `json:"key"`
	Previous      *keyView `json:"previous"`
	SafeToDestroy *string  `json:"safe_to_destroy_at"`
}

// rotate is POST /admin/v1/groups/{group}/rotate.
func (a *Admin) rotate(x *exchange) (reply, error) {
	f, err := x.optionalForm(memberOverlap, memberLabel, memberNote)
	if err != nil {
		return reply{}, err
	}
	how := app.Rotation{
		Overlap: f.overlap(memberOverlap),
		Label:   f.words(memberLabel, label.CheckName), Note: f.words(memberNote, label.CheckNote),
	}
	if how.Mark, err = x.mark(f, "rotate"); err != nil {
		return reply{}, err
	}
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	done, err := a.use.Keys.Rotate(x.Request.Context(), x.call, x.by, x.group, how)
	if err != nil {
		return reply{}, inField(memberOverlap, iso8601.ErrOverflow, err)
	}
	out := reply{replayed: done.Replayed}
	body := rotatedView{Key: viewMadeKey(done.MadeKey)}
	if done.Previous != nil {
		before := viewKey(*done.Previous)
		body.Previous, body.SafeToDestroy = &before, before.SafeToDestroy
	}
	out.body = body
	if !done.Replayed {
		out.status, out.location = http.StatusCreated, keyPath(x.group, done.Key.ID)
	}
	return out, nil
}

// overlap is a duration that may be zero; nil when it is absent or null.
func (f *form) overlap(name string) *iso8601.Duration {
	s := f.text(name)
	if s == nil {
		return nil
	}
	d, err := app.ParseOverlap(*s)
	if err != nil {
		f.fault(name, token.DurationFault(err), err.Error())
		return nil
	}
	return &d
}
