package vaultfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// call is one request, taken apart.
type call struct {
	http  *http.Request
	op    string // read, list, update, delete
	path  string
	body  map[string]any
	token *tokenEntry
	// bearer is the text of token.
	bearer string
}

const operationList = "list"

// serve answers a request under the lock: the fake does one at a time.
func (s *Server) serve(r *http.Request, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{http: r, path: strings.Trim(strings.TrimPrefix(r.URL.Path, "/v1/"), "/"), bearer: r.Header.Get("X-Vault-Token")}
	switch {
	case r.Method == "LIST", r.Method == http.MethodGet && r.URL.Query().Get("list") == "true":
		c.op = operationList
	case r.Method == http.MethodGet:
		c.op = "read"
	case r.Method == http.MethodDelete:
		c.op = "delete"
	default:
		c.op = "update"
	}
	if c.path == "sys/health" {
		return s.health()
	}
	if s.sealed {
		return failed(http.StatusServiceUnavailable, "Vault is sealed")
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &c.body); err != nil {
			return failed(http.StatusInternalServerError, "malformed JSON, unclosed string")
		}
	}
	if limited := s.limited(c.path); limited != nil {
		return *limited
	}
	if strings.HasPrefix(c.path, "auth/") && strings.HasSuffix(c.path, "/login") {
		return s.login(c)
	}
	var refusal *answer
	if c.token, refusal = s.authenticate(c.bearer); refusal != nil {
		return *refusal
	}
	if !s.allowed(c) {
		return deniedByPolicy()
	}
	return s.dispatch(c)
}

func (s *Server) health() answer {
	status := http.StatusOK
	if s.sealed {
		status = http.StatusServiceUnavailable
	}
	return answer{status: status, bare: true, data: map[string]any{
		"initialized": true, "sealed": s.sealed, "standby": s.sealed, "performance_standby": false,
		"server_time_utc": time.Now().Unix(), "version": "1.21.1", "enterprise": false,
	}}
}

func noHandler(path string) answer {
	return failed(http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
}

// dispatch sends a call that is allowed to the engine at its path.
func (s *Server) dispatch(c *call) answer {
	switch {
	case strings.HasPrefix(c.path, "sys/"):
		return s.system(c, strings.TrimPrefix(c.path, "sys/"))
	case strings.HasPrefix(c.path, "auth/"):
		return s.authAdmin(c, strings.TrimPrefix(c.path, "auth/"))
	}
	mount, rest := s.mountOf(c.path)
	switch s.mounts[mount] {
	case "kv":
		return s.kv(c, mount, rest)
	case "kv1":
		return failed(http.StatusNotFound)
	case "transit":
		return s.transit(c, mount, rest)
	}
	if c.op == operationList {
		c.path += "/"
	}
	return noHandler(c.path)
}

// mountOf finds the longest mount that path lies below.
func (s *Server) mountOf(path string) (mount, rest string) {
	for m := range s.mounts {
		if below, ok := strings.CutPrefix(path+"/", m+"/"); ok && len(m) > len(mount) {
			mount, rest = m, strings.TrimSuffix(below, "/")
		}
	}
	return mount, rest
}

func (s *Server) system(c *call, path string) answer {
	kind, name, _ := strings.Cut(path, "/")
	switch kind {
	case "seal":
		s.sealed = true
		return answer{}
	case "mounts":
		return s.mount(s.mounts, c, name, mountType(c.body))
	case "auth":
		return s.mount(s.auths, c, name, text(c.body, "type"))
	case "policies":
		s.policies[strings.TrimPrefix(name, "acl/")] = parsePolicy(text(c.body, "policy"))
		return answer{}
	case "quotas":
		return s.quota(c, strings.TrimPrefix(name, "rate-limit/"))
	case "capabilities-self":
		return s.capabilities(c)
	case "internal":
		return s.preflight(c, strings.TrimPrefix(name, "ui/mounts/"))
	}
	return noHandler(c.path)
}

func mountType(body map[string]any) string {
	options, _ := body["options"].(map[string]any)
	if kind := text(body, "type"); kind != "kv" || options["version"] == "2" {
		if kind == "kv-v2" {
			return "kv"
		}
		return kind
	}
	return "kv1"
}

func (s *Server) mount(table map[string]string, c *call, name, kind string) answer {
	if c.op == "delete" {
		delete(table, name)
		return answer{}
	}
	if _, taken := table[name]; taken {
		return failed(http.StatusBadRequest, "path is already in use at "+name+"/")
	}
	table[name] = kind
	return answer{}
}

// preflight tells a mount to whoever may do anything below it.
func (s *Server) preflight(c *call, asked string) answer {
	name, _ := s.mountOf(asked)
	kind, found := s.mounts[name]
	if !found {
		name = asked
	}
	if !found || !c.token.isRoot() && !s.anythingBelow(c.token, name+"/") {
		return failed(http.StatusForbidden,
			fmt.Sprintf("preflight capability check returned 403, please ensure client's policies grant access to path %q", name+"/"))
	}
	options := map[string]any{}
	switch kind {
	case "kv":
		options["version"] = "2"
	case "kv1":
		kind = "kv"
	}
	return answer{data: map[string]any{"type": kind, "options": options, "path": name + "/"}}
}

// quota lets a number of requests through each second.
type quota struct {
	path  string
	rate  float64
	since time.Time
	used  float64
}

func (s *Server) quota(c *call, name string) answer {
	if c.op == "delete" {
		delete(s.quotas, name)
		return answer{}
	}
	rate, _ := c.body["rate"].(float64)
	s.quotas[name] = &quota{path: strings.TrimSuffix(text(c.body, "path"), "/"), rate: rate}
	return answer{}
}

func (s *Server) limited(path string) *answer {
	for _, q := range s.quotas {
		if !strings.HasPrefix(path, q.path) {
			continue
		}
		if now := time.Now(); now.Sub(q.since) > time.Second {
			q.since, q.used = now, 0
		}
		if q.used++; q.used > q.rate {
			a := failed(http.StatusTooManyRequests, fmt.Sprintf("request path %q: rate limit quota exceeded", path))
			return &a
		}
	}
	return nil
}

// text is a member of a body that is a string.
func text(body map[string]any, name string) string {
	v, _ := body[name].(string)
	return v
}
