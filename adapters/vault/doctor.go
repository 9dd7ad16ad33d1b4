package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	// UseAdvice: everything works without it, and better with it.
	UseAdvice = "advice"
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

// Examination is what was found, and whether any ring that could be read has a
// key in Transit.
type Examination struct {
	Findings    []Finding
	TransitKeys bool
}

// Examine logs in as [Open] does and looks at everything, also where Open would
// fail. The error wraps [ErrConfig].
func Examine(ctx context.Context, cfg Config) (Examination, error) {
	b, err := newBackend(cfg.withDefaults())
	if err != nil {
		return Examination{}, fmt.Errorf("vault: examine: %w", err)
	}
	stop := b.session.start(context.WithoutCancel(ctx))
	defer stop()
	return b.examine(ctx), nil
}

// examine looks at everything in Vault that this service needs, and changes
// nothing. What it cannot look at, it says. The first finding is about the
// log-in, and the only one when that fails.
func (b *Backend) examine(ctx context.Context) Examination {
	login := b.findLogin(ctx)
	if !login.OK {
		return Examination{Findings: []Finding{login}}
	}
	transit := b.findTransit(ctx)
	e := Examination{Findings: append([]Finding{login, b.findKV(ctx), transit}, b.findCapabilities(ctx)...)}
	// The keys first: one that a server makes in the meantime is in a ring by then.
	inTransit, listErr := b.transitNames(ctx)
	rings, damaged, err := b.allRings(ctx)
	if err != nil {
		e.Findings = append(e.Findings, Finding{
			Use: UseAdminister, Check: "rings", Detail: "not looked at: " + err.Error(), Remedy: b.listRule().line(),
		})
		// Who may read and not list knows the one group that init makes.
		if ring, _, err := b.readRing(ctx, firstGroup); err == nil {
			e.TransitKeys = slices.ContainsFunc(ring.Keys(), isInTransit)
		}
		return e
	}
	for _, r := range rings {
		e.TransitKeys = e.TransitKeys || slices.ContainsFunc(r.ring.Keys(), isInTransit)
	}
	e.Findings = append(e.Findings, b.findRecords(ctx, rings, damaged), b.findPurges(ctx, rings))
	e.Findings = append(e.Findings, b.findRevocations(ctx)...)
	if transit.OK {
		e.Findings = append(e.Findings, b.findTransitKeys(ctx, rings, damaged, inTransit, listErr))
	}
	return e
}

// firstGroup is the group that init makes.
const firstGroup = group.ID("default")

func isInTransit(k key.Key) bool { return k.Custody == key.VaultTransit && k.State != key.Destroyed }

// findLogin asks Vault about the token that is in use.
func (b *Backend) findLogin(ctx context.Context) Finding {
	f := Finding{Use: UseAny, Check: "log-in"}
	resp, err := b.call(ctx, http.MethodGet, "auth/token/lookup-self", nil)
	var refusal *failure
	switch {
	case errors.As(err, &refusal) && refusal.byPolicy():
		f.OK, f.Detail = true, "Vault takes the token, which may not ask how long it lives"
		f.Remedy = rule{"auth/token/lookup-self", []string{"read"}, nil}.line()
		return f
	case err != nil:
		f.Detail = err.Error()
		switch {
		case errors.Is(err, ports.ErrSealed):
			f.Remedy = "vault operator unseal"
		case errors.Is(err, ports.ErrDenied):
			f.Remedy = "see vault.auth, vault.auth_mount, the role, and the credentials that they name"
		default:
			f.Remedy = "see vault.addresses, and for certificates vault.ca_file and vault.server_name"
		}
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
	err := b.checkMount(ctx)
	if err == nil {
		return f
	}
	f.OK, f.Detail = false, err.Error()
	if errors.Is(err, errMount) {
		f.Remedy = "name another mount in vault.mount; one of version 1 can be raised: vault kv enable-versioning " + b.cfg.Mount
	} else if refusal := (*failure)(nil); errors.As(err, &refusal) && refusal.byPolicy() {
		f.Remedy = "grant what is missing below; or, if nothing is mounted there: vault secrets enable -path=" + b.cfg.Mount + " -version=2 kv"
	}
	return f
}

func (b *Backend) findTransit(ctx context.Context) Finding {
	f := Finding{Use: UseTransitMint, Check: "Transit engine at " + b.cfg.TransitMount}
	mounted, err := b.mounted(ctx, b.cfg.TransitMount)
	var refusal *failure
	switch {
	case errors.As(err, &refusal) && refusal.byPolicy():
		f.Detail = "there is no engine, or the token may do nothing below it"
		f.Remedy = "grant what is missing below; or, if nothing is mounted there: vault secrets enable -path=" + b.cfg.TransitMount + " transit"
	case err != nil:
		f.Detail = err.Error()
	case mounted.path != b.cfg.TransitMount:
		f.Detail, f.Remedy = mounted.elsewhere(b.cfg.TransitMount), "vault secrets enable -path="+b.cfg.TransitMount+" transit"
	case mounted.kind != "transit":
		f.Detail, f.Remedy = "what is mounted there is no Transit engine", "name another mount in vault.transit_mount"
	case !FitsTransit(b.cfg.Prefix):
		f.Detail = "no Transit key can have a name with this prefix"
		f.Remedy = "choose a prefix that begins with a letter, a digit or '_' and has neither '/' nor '.'"
	default:
		f.OK, f.Detail = true, "a Transit engine"
	}
	return f
}
