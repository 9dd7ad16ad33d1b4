package vaultfake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxVersions is how many versions of a secret KV keeps by default.
const maxVersions = 10

type secretEntry struct {
	created, updated time.Time
	current, oldest  int
	versions         map[int]*version
}

type version struct {
	created time.Time
	deleted time.Time
	// destroyed versions have no data.
	destroyed bool
	data      any
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (s *Server) kv(c *call, mount, path string) answer {
	kind, name, _ := strings.Cut(path, "/")
	id := mount + "\x00" + name
	switch kind + " " + c.op {
	case "data read":
		return s.readSecret(c, id)
	case "data update":
		return s.writeSecret(c, id)
	case "data delete":
		if e := s.secrets[id]; e != nil {
			e.versions[e.current].deleted = time.Now()
		}
		return answer{}
	case "metadata read":
		return s.readMetadata(id)
	case "metadata list":
		return s.listSecrets(id)
	case "metadata delete":
		delete(s.secrets, id)
		return answer{}
	case "destroy update":
		return s.destroySecret(c, id)
	}
	return failed(http.StatusMethodNotAllowed, "unsupported operation")
}

func (s *Server) readSecret(c *call, id string) answer {
	e := s.secrets[id]
	if e == nil {
		return failed(http.StatusNotFound)
	}
	number := e.current
	if asked, err := strconv.Atoi(c.http.URL.Query().Get("version")); err == nil && asked > 0 {
		number = asked
	}
	v := e.versions[number]
	if v == nil {
		return failed(http.StatusNotFound)
	}
	a := answer{mount: "kv", data: map[string]any{"data": v.data, "metadata": v.metadata(number)}}
	if v.destroyed || !v.deleted.IsZero() {
		a = answer{status: http.StatusNotFound, data: map[string]any{"data": nil, "metadata": v.metadata(number)}}
	}
	return a
}

func (v *version) metadata(number int) map[string]any {
	return map[string]any{
		"version": number, "created_time": instant(v.created), "deletion_time": instant(v.deleted),
		"destroyed": v.destroyed, "custom_metadata": nil,
	}
}

func (s *Server) writeSecret(c *call, id string) answer {
	data, ok := c.body["data"].(map[string]any)
	if !ok {
		return failed(http.StatusBadRequest, "no data provided")
	}
	e := s.secrets[id]
	current := 0
	if e != nil {
		current = e.current
	}
	options, _ := c.body["options"].(map[string]any)
	if cas, given := options["cas"]; given {
		number, err := strconv.Atoi(fmt.Sprint(cas))
		if err != nil {
			return failed(http.StatusBadRequest, "error parsing check-and-set parameter")
		}
		if number != current {
			return failed(http.StatusBadRequest, "check-and-set parameter did not match the current version")
		}
	}
	now := time.Now()
	if e == nil {
		e = &secretEntry{created: now, versions: map[int]*version{}}
		s.secrets[id] = e
	}
	e.current++
	e.updated = now
	v := &version{created: now, data: data}
	e.versions[e.current] = v
	if old := e.current - maxVersions; old > 0 {
		delete(e.versions, old)
		e.oldest = old + 1
	}
	return answer{mount: "kv", data: v.metadata(e.current)}
}

func (s *Server) readMetadata(id string) answer {
	e := s.secrets[id]
	if e == nil {
		return failed(http.StatusNotFound)
	}
	versions := map[string]any{}
	for number, v := range e.versions {
		versions[strconv.Itoa(number)] = map[string]any{
			"created_time": instant(v.created), "deletion_time": instant(v.deleted), "destroyed": v.destroyed,
			"created_by": nil, "deleted_by": nil,
		}
	}
	return answer{mount: "kv", data: map[string]any{
		"versions": versions, "current_version": e.current, "oldest_version": e.oldest,
		"created_time": instant(e.created), "updated_time": instant(e.updated), "max_versions": 0, "cas_required": false,
		"delete_version_after": "0s", "custom_metadata": nil, "last_updated_by": nil,
	}}
}

func (s *Server) listSecrets(id string) answer {
	prefix := strings.TrimSuffix(id, "/") + "/"
	if strings.HasSuffix(id, "\x00") { // the root of the mount
		prefix = id
	}
	return listing("kv", prefix, s.secrets)
}

// listing are the names right below the prefix, folders with a slash.
func listing[T any](mount, prefix string, all map[string]T) answer {
	names := []string{}
	for id := range all {
		if below, ok := strings.CutPrefix(id, prefix); ok {
			if first, _, deeper := strings.Cut(below, "/"); deeper {
				below = first + "/"
			}
			names = append(names, below)
		}
	}
	if len(names) == 0 {
		return failed(http.StatusNotFound)
	}
	slices.Sort(names)
	return answer{mount: mount, data: map[string]any{"keys": slices.Compact(names)}}
}

func (s *Server) destroySecret(c *call, id string) answer {
	numbers, _ := c.body["versions"].([]any)
	if len(numbers) == 0 {
		return failed(http.StatusBadRequest, "no version number provided")
	}
	e := s.secrets[id]
	if e == nil {
		return answer{}
	}
	for _, n := range numbers {
		number, _ := n.(float64)
		if v := e.versions[int(number)]; v != nil {
			v.destroyed, v.data = true, nil
		}
	}
	return answer{}
}
