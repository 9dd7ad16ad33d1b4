package vaultfake

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// rule grants capabilities on the paths that a pattern matches.
type rule struct {
	path         string
	capabilities []string
}

// parsePolicy reads the rules of a policy in HCL, without its comments.
func parsePolicy(hcl string) []rule {
	comment := regexp.MustCompile(`(?m)#.*$`)
	block := regexp.MustCompile(`path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}`)
	var rules []rule
	for _, m := range block.FindAllStringSubmatch(comment.ReplaceAllString(hcl, ""), -1) {
		r := rule{path: m[1]}
		for c := range strings.SplitSeq(m[2], ",") {
			r.capabilities = append(r.capabilities, strings.Trim(strings.TrimSpace(c), `"`))
		}
		rules = append(rules, r)
	}
	return rules
}

// defaultRules are those of the policy that every token has unless it says no.
func defaultRules() []rule {
	return []rule{
		{"auth/token/lookup-self", []string{"read"}}, {"auth/token/renew-self", []string{"update"}},
		{"auth/token/revoke-self", []string{"update"}}, {"sys/capabilities-self", []string{"update"}},
	}
}

func (r rule) matches(path string) bool {
	pattern, prefix := strings.CutSuffix(r.path, "*")
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		switch {
		case i >= len(got):
			return false
		case prefix && i == len(want)-1:
			return strings.HasPrefix(strings.Join(got[i:], "/"), w)
		case w != "+" && w != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

// capabilitiesOf are those of the rule that fits best: the longest.
func (s *Server) capabilitiesOf(t *tokenEntry, path string) []string {
	if t.isRoot() {
		return []string{"root"}
	}
	var best rule
	for _, p := range t.policies {
		rules := s.policies[p]
		if p == "default" {
			rules = defaultRules()
		}
		for _, r := range rules {
			if !r.matches(path) || len(r.path) < len(best.path) {
				continue
			}
			if r.path == best.path { // of two policies, both hold
				r.capabilities = slices.Concat(best.capabilities, r.capabilities)
			}
			best = r
		}
	}
	if len(best.capabilities) == 0 || slices.Contains(best.capabilities, "deny") {
		return []string{"deny"}
	}
	granted := slices.Clone(best.capabilities)
	slices.Sort(granted)
	return slices.Compact(granted)
}

// allowed reports whether the token may make the call.
func (s *Server) allowed(c *call) bool {
	if c.token.isRoot() || strings.HasPrefix(c.path, "sys/internal/ui/mounts/") {
		return true
	}
	need, path := c.op, c.path
	if need == "update" && !s.exists(c.path) {
		need = "create"
	}
	granted := s.capabilitiesOf(c.token, path)
	if c.op == operationList {
		granted = slices.Concat(granted, s.capabilitiesOf(c.token, path+"/"))
	}
	return slices.Contains(granted, need)
}

// exists is asked of the engines that tell making from changing; all others
// call both an update.
func (s *Server) exists(path string) bool {
	mount, rest := s.mountOf(path)
	kind, name, _ := strings.Cut(rest, "/")
	switch s.mounts[mount] + " " + kind {
	case "kv data":
		return s.secrets[mount+"\x00"+name] != nil
	case "transit encrypt":
		return s.keys[mount+"\x00"+name] != nil
	}
	return true
}

// anythingBelow reports whether a policy of the token names a path there.
func (s *Server) anythingBelow(t *tokenEntry, mount string) bool {
	for _, p := range t.policies {
		for _, r := range s.policies[p] {
			if strings.HasPrefix(r.path, mount) && !slices.Contains(r.capabilities, "deny") {
				return true
			}
		}
	}
	return false
}

func (s *Server) capabilities(c *call) answer {
	paths, _ := c.body["paths"].([]any)
	all := map[string]any{}
	for _, p := range paths {
		if path, ok := p.(string); ok {
			all[path] = s.capabilitiesOf(c.token, path)
		}
	}
	return answer{mount: "system", data: all}
}

func deniedByPolicy() answer {
	return failed(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
}
