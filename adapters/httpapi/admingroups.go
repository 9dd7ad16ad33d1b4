package httpapi

import (
	"net/http"

	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/label"
	"embedseal/domain/policy"
)

// The members of a group.
const (
	memberID          = "id"
	memberName        = "name"
	memberPolicy      = "policy"
	memberRotateEvery = "rotate_every"
	memberOverlap     = "overlap"
)

const groupsPath = "/admin/v1/groups"

type groupView struct {
	ID          group.ID   `json:"id"`
	Name        string     `json:"name"`
	CreatedAt   *string    `json:"created_at"`
	RotateEvery *string    `json:"rotate_every"`
	Overlap     string     `json:"overlap"`
	Policy      policyView `json:"policy"`
	Keys        int        `json:"keys"`
	Tokens      int        `json:"tokens"`
}

func viewGroup(v app.GroupView) groupView {
	g := v.Group
	return groupView{
		ID: g.ID, Name: g.Name, CreatedAt: stamp(g.CreatedAt), RotateEvery: span(g.RotateEvery),
		Overlap: g.OverlapOrDefault().String(), Policy: viewPolicy(g.Policy), Keys: v.Keys, Tokens: len(g.Tokens),
	}
}

// listGroups is GET /admin/v1/groups.
func (a *Admin) listGroups(x *exchange) (reply, error) {
	at, err := x.page()
	if err != nil {
		return reply{}, err
	}
	views, next, err := a.use.Groups.List(x.Request.Context(), x.by, at)
	if err != nil {
		return reply{}, err
	}
	return reply{body: newPage(views, viewGroup, next)}, nil
}

// createGroup is POST /admin/v1/groups.
func (a *Admin) createGroup(x *exchange) (reply, error) {
	f, err := x.form(memberID, memberName, memberRotateEvery, memberOverlap, memberPolicy)
	if err != nil {
		return reply{}, err
	}
	var n app.NewGroup
	if id := f.required(memberID); id != "" {
		n.ID, err = group.ParseID(id)
		f.check(memberID, err)
	}
	n.Name = f.words(memberName, label.CheckName)
	n.RotateEvery, n.Overlap = f.rotateEvery(), f.groupOverlap()
	if rules := f.object(memberPolicy, policyMembers()...); rules != nil {
		made := policyPatch(rules)(policy.Default())
		n.Policy = &made
	}
	if n.Mark, err = x.mark(f, "groups"); err != nil {
		return reply{}, err
	}
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	x.what.Group = string(n.ID)
	made, replayed, err := a.use.Groups.Create(x.Request.Context(), x.call, x.by, n)
	if err != nil {
		return reply{}, within(memberPolicy, err)
	}
	out := reply{body: viewGroup(made), tag: made.Tag, replayed: replayed}
	if !replayed {
		out.status, out.location = http.StatusCreated, groupsPath+"/"+string(n.ID)
	}
	return out, nil
}

// rotateEvery is how often the default key is replaced; zero for never.
func (f *form) rotateEvery() iso8601.Duration {
	d := f.duration(memberRotateEvery)
	_, err := group.Group{}.Rotating(d, iso8601.Duration{})
	f.check(memberRotateEvery, err)
	return d
}

// groupOverlap is how long a replaced key goes on; zero for the default.
func (f *form) groupOverlap() iso8601.Duration {
	d := f.duration(memberOverlap)
	_, err := group.Group{}.Rotating(iso8601.Duration{}, d)
	f.check(memberOverlap, err)
	return d
}

// showGroup is GET /admin/v1/groups/{group}.
func (a *Admin) showGroup(x *exchange) (reply, error) {
	if x.absent != nil {
		return reply{}, x.absent
	}
	v, err := a.use.Groups.Show(x.Request.Context(), x.by, x.group)
	if err != nil {
		return reply{}, err
	}
	return reply{body: viewGroup(v), tag: v.Tag}, nil
}

// updateGroup is PATCH /admin/v1/groups/{group}.
func (a *Admin) updateGroup(x *exchange) (reply, error) {
	f, err := x.form(memberName, memberRotateEvery, memberOverlap)
	if err != nil {
		return reply{}, err
	}
	var patch app.GroupPatch
	if f.given(memberName) {
		name := f.words(memberName, label.CheckName)
		if name == "" {
			name = string(x.group)
		}
		patch.Name = &name
	}
	if f.given(memberRotateEvery) {
		patch.RotateEvery = new(f.rotateEvery())
	}
	if f.given(memberOverlap) {
		patch.Overlap = new(f.groupOverlap())
	}
	match := x.match(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	v, err := a.use.Groups.Update(x.Request.Context(), x.call, x.by, x.group, match, patch)
	if err != nil {
		return reply{}, err
	}
	return reply{body: viewGroup(v), tag: v.Tag}, nil
}

// deleteGroup is DELETE /admin/v1/groups/{group}.
func (a *Admin) deleteGroup(x *exchange) (reply, error) {
	f := emptyForm()
	match, force := x.match(f), x.force(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	if err := a.use.Groups.Delete(x.Request.Context(), x.call, x.by, x.group, match, force); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// showPolicy is GET /admin/v1/groups/{group}/policy.
func (a *Admin) showPolicy(x *exchange) (reply, error) {
	if x.absent != nil {
		return reply{}, x.absent
	}
	p, tag, err := a.use.Groups.Policy(x.Request.Context(), x.by, x.group)
	if err != nil {
		return reply{}, err
	}
	return reply{body: viewPolicy(p), tag: tag}, nil
}

// replacePolicy is PUT /admin/v1/groups/{group}/policy, and updatePolicy is PATCH.
func (a *Admin) replacePolicy(x *exchange) (reply, error) { return a.setPolicy(x, true) }
func (a *Admin) updatePolicy(x *exchange) (reply, error)  { return a.setPolicy(x, false) }

func (a *Admin) setPolicy(x *exchange, whole bool) (reply, error) {
	f, err := x.form(policyMembers()...)
	if err != nil {
		return reply{}, err
	}
	patch, match := policyPatch(f), x.match(f)
	if err := x.ready(f); err != nil {
		return reply{}, err
	}
	p, tag, err := a.use.Groups.SetPolicy(x.Request.Context(), x.call, x.by, x.group, match, patched(patch, whole))
	if err != nil {
		return reply{}, within("", err)
	}
	return reply{body: viewPolicy(p), tag: tag}, nil
}
