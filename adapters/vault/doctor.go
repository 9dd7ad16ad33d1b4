package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// The uses of this service that a [Finding] matters to.
const (
	// UseAny: nothing works without it.
	UseAny = "any"
	// UseMint: a replica that mints and verifies, with keys of the ring.
	UseMint = "mint"
	// UseAdminister: one that also makes and changes groups and keys.
	UseAdminister = "administer"
	// UseTransitMint and UseTransitAdminister are the same where keys are in
	// the custody vault-transit.
	UseTransitMint       = "transit mint"
	UseTransitAdminister = "transit administer"
)

// Finding is one thing that was looked at.
type Finding struct {
	// Use is one of the constants above.
	Use string
	// Check says what was looked at.
	Check string
	OK    bool
	// Detail is what was found, in one sentence without a full stop.
	Detail string
	// Remedy is a line of policy or a command to copy; empty if there is nothing
	// to mend.
	Remedy string
}

// Examine logs in as [Open] does and looks at everything, also where Open would
// fail. The error wraps [ErrConfig].
func Examine(ctx context.Context, cfg Config) ([]Finding, error) {
	b, err := newBackend(cfg.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("vault: examine: %w", err)
	}
	stop := b.session.start(context.WithoutCancel(ctx))
	defer stop()
	return b.Doctor(ctx), nil
}

// Doctor looks at everything in Vault that this service needs, and changes
// nothing. What it cannot look at, it says. The first finding is about the
// log-in, and the only one when that fails.
func (b *Backend) Doctor(ctx context.Context) []Finding {
	login := b.findLogin(ctx)
	if !login.OK {
		return []Finding{login}
	}
	transit := b.findTransit(ctx)
	findings := append([]Finding{login, b.findKV(ctx), transit}, b.findCapabilities(ctx)...)
	rings, err := b.allRings(ctx)
	if err != nil {
		return append(findings, Finding{
			Use: UseAdminister, Check: "rings", Detail: "the rings cannot be looked at: " + err.Error(),
			Remedy: b.listRule().line(),
		})
	}
	if findings = append(findings, b.findPurges(ctx, rings)); transit.OK {
		findings = append(findings, b.findTransitKeys(ctx, rings))
	}
	return findings
}

// findLogin asks Vault about the token that is in use.
func (b *Backend) findLogin(ctx context.Context) Finding {
	f := Finding{Use: UseAny, Check: "log-in"}
	resp, err := b.call(ctx, http.MethodGet, "auth/token/lookup-self", nil)
	var refusal *failure
	switch {
	case errors.As(err, &refusal) && refusal.status == http.StatusForbidden && !refusal.badToken:
		f.OK, f.Detail = true, "Vault takes the token, which may not ask how long it lives"
		f.Remedy = rule{"auth/token/lookup-self", []string{"read"}, nil}.line()
		return f
	case err != nil:
		f.Detail, f.Remedy = err.Error(), "see that Vault is unsealed and can be reached, and that the auth method, its mount and its role are right"
		return f
	case resp.Secret == nil:
		f.Detail = notVault().Error()
		return f
	}
	f.OK = true
	seconds, err := integer(resp.Data["ttl"])
	switch {
	case err != nil:
		f.Detail = "Vault takes the token, and does not say how long it lives"
	case seconds == 0:
		f.Detail = "the token never expires"
	default:
		f.Detail = fmt.Sprintf("the token lives for another %s", time.Duration(seconds)*time.Second)
	}
	if renewable, _ := resp.Data["renewable"].(bool); renewable {
		f.Detail += " and is renewed before that"
	}
	policies, _ := resp.Data["policies"].([]any)
	if slices.Contains(policies, any("root")) {
		f.Detail += "; it is a root token, which may do everything: use one with the policies of docs/adapters/vault.md"
	}
	return f
}

func (b *Backend) findKV(ctx context.Context) Finding {
	f := Finding{Use: UseAny, Check: "KV engine at " + b.cfg.Mount, OK: true, Detail: "a KV engine of version 2"}
	if err := b.checkMount(ctx); err != nil {
		f.OK, f.Detail = false, err.Error()
		f.Remedy = "vault secrets enable -path=" + b.cfg.Mount + " -version=2 kv"
	}
	return f
}

func (b *Backend) findTransit(ctx context.Context) Finding {
	f := Finding{
		Use: UseTransitMint, Check: "Transit engine at " + b.cfg.TransitMount,
		Remedy: "vault secrets enable -path=" + b.cfg.TransitMount + " transit",
	}
	resp, err := b.call(ctx, http.MethodGet, "sys/internal/ui/mounts/"+b.cfg.TransitMount, nil)
	var refusal *failure
	switch {
	case errors.As(err, &refusal) && refusal.status == http.StatusForbidden:
		f.Detail = "there is no engine, or the token may do nothing below it"
	case err != nil:
		f.Detail, f.Remedy = err.Error(), ""
	case resp.Secret == nil || resp.Data["type"] != "transit":
		f.Detail = "what is mounted there is no Transit engine"
	case !FitsTransit(b.cfg.Prefix):
		f.Detail = "no Transit key can have a name with this prefix"
		f.Remedy = "choose a prefix that begins with a letter, a digit or '_' and has neither '/' nor '..'"
	default:
		f.OK, f.Detail, f.Remedy = true, "a Transit engine", ""
	}
	return f
}

// namedRing is a ring with where it was read.
type namedRing struct {
	group group.ID
	ring  key.Ring
	record
}

// allRings reads every ring. One that is damaged is an error.
func (b *Backend) allRings(ctx context.Context) ([]namedRing, error) {
	resp, err := b.call(ctx, methodList, b.path("metadata", folderRings, ""), nil)
	if err != nil || resp.Secret == nil {
		return nil, err
	}
	names, _ := resp.Data["keys"].([]any)
	var rings []namedRing
	for _, n := range names {
		name, _ := n.(string)
		id, err := group.ParseID(name)
		if err != nil {
			continue // of somebody else
		}
		ring, r, err := b.readRing(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("the ring of %s: %w", id, err)
		}
		rings = append(rings, namedRing{id, ring, r})
	}
	return rings, nil
}

// findPurges looks for earlier versions of rings that hold what was destroyed.
func (b *Backend) findPurges(ctx context.Context, rings []namedRing) Finding {
	f := Finding{Use: UseAdminister, Check: "destroyed keys", OK: true, Detail: "no earlier version of a ring holds material that was destroyed"}
	var pending, commands []string
	for _, r := range rings {
		if !r.Purge {
			continue
		}
		left, err := b.versions(ctx, folderRings, r.group, r.version)
		if err != nil {
			f.OK, f.Detail, f.Remedy = false, "the versions of the ring of "+string(r.group)+" cannot be looked at: "+err.Error(), b.metadataRule().line()
			return f
		}
		if len(left) == 0 {
			continue
		}
		pending = append(pending, string(r.group))
		commands = append(commands, fmt.Sprintf("vault kv destroy -mount=%s -versions=%s %s/%s/%s",
			b.cfg.Mount, strings.ReplaceAll(strings.Trim(fmt.Sprint(left), "[]"), " ", ","), b.cfg.Prefix, folderRings, r.group))
	}
	if len(pending) > 0 {
		f.OK = false
		f.Detail = "earlier versions hold material of destroyed keys, until the next change of the ring of " + strings.Join(pending, ", ")
		f.Remedy = strings.Join(commands, "\n")
	}
	return f
}

// findTransitKeys compares the keys of the rings with those in Transit.
func (b *Backend) findTransitKeys(ctx context.Context, rings []namedRing) Finding {
	f := Finding{Use: UseTransitAdminister, Check: "Transit keys", OK: true}
	wanted := map[string]bool{}
	for _, r := range rings {
		for _, k := range r.ring.Keys() {
			if name, err := b.keyName(r.group, k); err == nil {
				wanted[name] = true
			}
		}
	}
	resp, err := b.call(ctx, methodList, b.cfg.TransitMount+"/keys", nil)
	if errors.Is(err, ports.ErrDenied) {
		f.Detail = "not compared with the rings: the token may not list them, which it need not"
		f.Remedy = rule{b.cfg.TransitMount + "/keys", []string{"list"}, nil}.line()
		return f
	}
	if err != nil {
		f.OK, f.Detail = false, err.Error()
		return f
	}
	there := map[string]bool{}
	var orphans, missing, commands []string
	if resp.Secret != nil {
		names, _ := resp.Data["keys"].([]any)
		for _, n := range names {
			name, _ := n.(string)
			there[name] = true
			if b.isOurs(name) && !wanted[name] {
				orphans = append(orphans, name)
			}
		}
	}
	for name := range wanted {
		if !there[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(orphans)
	slices.Sort(missing)
	for _, name := range orphans {
		path := b.cfg.TransitMount + "/keys/" + name
		commands = append(commands, "vault write "+path+"/config deletion_allowed=true && vault delete "+path)
	}
	f.Detail = fmt.Sprintf("%d keys, each in one ring", len(wanted))
	if len(orphans)+len(missing) > 0 {
		f.OK = false
		f.Detail = fmt.Sprintf("in no ring, or made a moment ago: %s; in a ring and not in Transit: %s", listed(orphans), listed(missing))
		f.Remedy = strings.Join(commands, "\n")
	}
	return f
}

// isOurs reports whether a Transit key of that name can be one that was made
// here.
func (b *Backend) isOurs(name string) bool {
	rest, found := strings.CutPrefix(name, b.cfg.Prefix+"-")
	g, id, dotted := strings.Cut(rest, ".")
	if !found || !dotted {
		return false
	}
	got, err := b.nameInTransit(group.ID(g), key.ID(id))
	return err == nil && got == name
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
