package vault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// rule is one line of a policy.
type rule struct {
	path string
	// capabilities are those to grant.
	capabilities []string
	// probes are paths that it must hold for.
	probes []string
}

// line is the rule in HCL.
func (r rule) line() string {
	return fmt.Sprintf("path %q { capabilities = [\"%s\"] }", r.path, strings.Join(r.capabilities, `", "`))
}

// need is a rule with what it is for.
type need struct {
	rule
	use, what string
	// never is a capability that should not be there.
	never string
}

// probe stands in paths for the id of a group and of a key.
const probe = "doctor"

// kv is a rule for the secrets of one kind below the prefix.
func (b *Backend) kv(kind string, capabilities ...string) rule {
	r := rule{path: b.cfg.Mount + "/" + kind + "/" + b.cfg.Prefix + "/*", capabilities: capabilities}
	for _, folder := range []string{folderGroups, folderRings, folderRevocations, folderRevoked} {
		r.probes = append(r.probes, b.path(kind, folder, probe))
	}
	return r
}

// auditRule is the rule for the states of the audit logs, which replicas that mint
// write, too.
func (b *Backend) auditRule() rule {
	return rule{
		path: b.cfg.Mount + "/data/" + b.cfg.Prefix + "/" + folderAudit + "/*", capabilities: []string{"create", "update", "read"},
		probes: []string{b.path("data", folderAudit, probe)},
	}
}

func (b *Backend) metadataRule() rule { return b.kv("metadata", "read", "list", "delete") }

// listRule is metadataRule, where it is asked for listing: a list of a folder
// is allowed by rules for its name with a slash at the end.
func (b *Backend) listRule() rule {
	r := b.metadataRule()
	r.probes = nil
	for _, folder := range []string{folderGroups, folderRings, folderRevocations, folderRevoked} {
		r.probes = append(r.probes, b.path("metadata", folder, "")+"/")
	}
	return r
}

// transitRule is a rule for one verb of Transit on all keys below the prefix.
func (b *Backend) transitRule(verb, suffix string, capabilities ...string) rule {
	start := b.cfg.TransitMount + "/" + verb + "/" + b.cfg.Prefix + "."
	return rule{path: start + "*", capabilities: capabilities, probes: []string{start + probe + "." + probe + suffix}}
}

// needs are the rules of a policy, those of docs/adapters/vault.md.
func (b *Backend) needs() []need {
	keys := b.transitRule("keys", "", "read", "update", "delete")
	config := keys
	config.probes, config.capabilities = []string{keys.probes[0] + "/config"}, []string{"update"}
	return []need{
		{use: UseMint, what: "read groups, rings and revocations", rule: b.kv("data", "read")},
		{use: UseMint, what: "keep the end of the audit log", rule: b.auditRule()},
		{use: UseAdminister, what: "write groups, rings and revocations", rule: b.kv("data", "create", "update", "read")},
		{use: UseAdminister, what: "list groups and revocations", rule: pick(b.listRule(), "list")},
		{use: UseAdminister, what: "delete groups and look at versions", rule: pick(b.metadataRule(), "read", "delete")},
		{use: UseAdminister, what: "destroy earlier versions", rule: b.kv("destroy", "update")},
		{use: UseTransitMint, what: "seal with Transit keys", rule: b.transitRule("encrypt", "", "update"), never: "create"},
		{use: UseTransitMint, what: "open with Transit keys", rule: b.transitRule("decrypt", "", "update")},
		{use: UseTransitMint, what: "look at Transit keys", rule: b.transitRule("keys", "", "read")},
		{use: UseTransitAdminister, what: "make and destroy Transit keys", rule: keys},
		{use: UseTransitAdminister, what: "allow the deletion of Transit keys", rule: pick(config, "update")},
	}
}

// pick asks for some of the capabilities of a rule only; the line that a
// finding shows is completed by [Backend.remedy].
func pick(r rule, capabilities ...string) rule {
	r.capabilities = capabilities
	return r
}

// remedy is the whole line for a path and a use, so that it can replace one
// that is there.
func (b *Backend) remedy(n need) string {
	whole := rule{path: n.path}
	for _, other := range b.needs() {
		// Whoever administers mints, too.
		if other.path == n.path && (other.use == n.use || strings.HasSuffix(n.use, UseAdminister)) {
			whole.capabilities = append(whole.capabilities, other.capabilities...)
		}
	}
	slices.Sort(whole.capabilities)
	whole.capabilities = slices.Compact(whole.capabilities)
	return whole.line()
}

// findCapabilities asks Vault what the token may do, for each rule.
func (b *Backend) findCapabilities(ctx context.Context) []Finding {
	needs := b.needs()
	var paths []string
	for _, n := range needs {
		paths = append(paths, n.probes...)
	}
	slices.Sort(paths)
	granted, err := b.capabilities(ctx, slices.Compact(paths))
	if err != nil {
		return []Finding{{
			Use: UseAny, Check: "capabilities", Detail: "the token may not ask what it may do: " + err.Error(),
			Remedy: rule{"sys/capabilities-self", []string{"update"}, nil}.line(),
		}}
	}
	findings := make([]Finding, len(needs))
	for i, n := range needs {
		findings[i] = b.judgeNeed(n, granted)
	}
	return findings
}

func (b *Backend) judgeNeed(n need, granted map[string][]string) Finding {
	f := Finding{Use: n.use, Check: n.what, OK: true, Detail: "granted"}
	for _, path := range n.probes {
		has := granted[path]
		if slices.Contains(has, "root") {
			continue
		}
		var missing []string
		for _, c := range n.capabilities {
			if !slices.Contains(has, c) {
				missing = append(missing, c)
			}
		}
		if len(missing) > 0 {
			f.OK, f.Remedy = false, b.remedy(n)
			f.Detail = fmt.Sprintf("%s is missing on %s", strings.Join(missing, ", "), n.path)
			return f
		}
		if n.never != "" && slices.Contains(has, n.never) {
			f.OK, f.Remedy = false, b.remedy(n)
			f.Detail = fmt.Sprintf("%s is granted on %s, and should not be: with it, any other client that holds this token makes the keys that are missing", n.never, n.path)
		}
	}
	return f
}

// capabilities are what the token may do at each of the paths.
func (b *Backend) capabilities(ctx context.Context, paths []string) (map[string][]string, error) {
	resp, err := b.call(ctx, http.MethodPut, "sys/capabilities-self", map[string]any{"paths": paths})
	if err != nil {
		return nil, err
	}
	if resp.Secret == nil {
		return nil, notVault()
	}
	granted := map[string][]string{}
	for _, path := range paths {
		list, isList := resp.Data[path].([]any)
		if !isList {
			return nil, notVault()
		}
		for _, c := range list {
			text, _ := c.(string)
			granted[path] = append(granted[path], text)
		}
	}
	return granted, nil
}
