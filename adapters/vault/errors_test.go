package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/group"
	"embedseal/ports"
)

// answering makes every request for a record be answered so.
func answering(fake *vaultfake.Server, status int, body string) {
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		if strings.HasPrefix(r.URL.Path, "/v1/secret/") {
			return &vaultfake.Fault{Skip: true, Status: status, Body: body}
		}
		return nil
	})
}

func TestEveryStatusHasItsError(t *testing.T) {
	fake := vaultfake.Start(t)
	b := mustOpen(t, patient(fakeSite(fake).tokenConfig()))
	groups, keys := vault.NewGroupStore(b), vault.NewKeyStore(b)
	kinds := []error{ports.ErrSealed, ports.ErrDenied}
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{503, `{"errors":["Vault is sealed"]}`, ports.ErrSealed},
		{503, `<html>no backend</html>`, ports.ErrUnavailable},
		{503, ``, ports.ErrUnavailable},
		{403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, ports.ErrDenied},
		{429, `{"errors":["request path \"x\": rate limit quota exceeded"]}`, ports.ErrUnavailable},
		{412, `{"errors":["required index state not present"]}`, ports.ErrUnavailable},
		{472, ``, ports.ErrUnavailable}, {473, ``, ports.ErrUnavailable}, {501, ``, ports.ErrUnavailable},
		{500, `{"errors":["local node not active but active cluster node not found"]}`, ports.ErrUnavailable},
		{500, `{"errors":["leadership lost while committing log"]}`, ports.ErrUnavailable},
		{502, `<html>`, ports.ErrUnavailable}, {504, ``, ports.ErrUnavailable}, {400, `{"errors":["x"]}`, ports.ErrUnavailable},
		{404, `{"errors":["no handler for route \"secret/data/x\". route entry not found."]}`, ports.ErrUnavailable},
		{405, `{"errors":["unsupported operation"]}`, ports.ErrUnavailable},
	} {
		answering(fake, c.status, c.body)
		_, ringErr := keys.Ring(t.Context(), "acme")
		_, groupErr := groups.Group(t.Context(), "acme")
		_, listErr := groups.Groups(t.Context())
		updateErr := keys.UpdateRing(t.Context(), "acme", adding(t, "k1"))
		for _, err := range []error{ringErr, groupErr, listErr, updateErr} {
			wantOnly(t, err, c.want)
			for _, kind := range kinds {
				if errors.Is(err, kind) != errors.Is(c.want, kind) {
					t.Errorf("%d %s: the error %v", c.status, c.body, err)
				}
			}
		}
	}
}

func TestWhatIsNotAnAnswerOfVaultsIsNoMissingRecord(t *testing.T) {
	fake := vaultfake.Start(t)
	b := mustOpen(t, patient(fakeSite(fake).tokenConfig()))
	groups, keys := vault.NewGroupStore(b), vault.NewKeyStore(b)
	for _, c := range []struct {
		status int
		body   string
	}{
		{404, ""}, {404, "<html>not here</html>"}, {404, "{}"}, {404, "null"}, {404, "[]"}, {404, `{"errors":null}`}, {404, `{"data":null}`},
		{404, `{"error":"not found"}`}, {404, `{"errors":["x"]}`}, {200, ""}, {200, "ok"}, {200, "null"}, {200, "{}"}, {200, "[]"},
		{200, `{"errors":[]}`}, {200, `{"data":null}`}, {200, `{"data":{}}`}, {200, `{"data":{"data":null}}`}, {200, `{"data":[]}`},
		{200, `{"data":{"data":null,"metadata":{}}}`}, {200, `{"data":{"data":null,"metadata":{"version":0,"destroyed":true}}}`},
		{200, `{"data":{"data":{},"metadata":{"version":"1"}}}`}, {200, `{"data":{"data":{},"metadata":{"version":1.5}}}`}, {204, ""},
		{200, `{"data":{"keys":"acme"}}`}, {200, `{"data":{"data":{"v":1`}, {404, `{"errors":[`},
	} {
		answering(fake, c.status, c.body)
		_, ringErr := keys.Ring(t.Context(), "acme")
		_, groupErr := groups.Group(t.Context(), "acme")
		_, listErr := groups.Groups(t.Context())
		for what, err := range map[string]error{"Ring": ringErr, "Group": groupErr, "Groups": listErr} {
			if !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("%s of %d %s: got the error %v, want %v", what, c.status, c.body, err, ports.ErrUnavailable)
			}
		}
	}
}

func TestWhatVaultHoldsAndNobodyWroteIsCorruptAndStays(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		if err := o.groups.CreateGroup(t.Context(), sampleGroup("globex")); err != nil {
			t.Fatal(err)
		}
		o.add(t, "globex", "k1")
		other := map[string]string{}
		for _, folder := range []string{"rings", "groups"} {
			data := s.do(t, http.MethodGet, "secret/data/"+o.prefix+"/"+folder+"/globex", "").member(t, "data")
			other[folder] = string(mustJSON(t, data["data"]))
		}
		for _, folder := range []string{"rings", "groups"} {
			for i, data := range []string{
				`{}`, `{"x":1}`, `{"v":2,"write_id":"w","document":""}`, `{"v":1,"document":"{}"}`, `{"v":1,"write_id":"w"}`,
				`{"v":1,"write_id":"w","document":"{}"}`, `{"v":1,"write_id":"w","document":{}}`, `{"v":"1","write_id":"w","document":"{}"}`,
				`{"v":1,"write_id":"w","trail":"x","document":"{}"}`, other[folder],
			} {
				id := group.ID(fmt.Sprintf("%s-%d", folder, i))
				path := "secret/data/" + o.prefix + "/" + folder + "/" + string(id)
				if folder == "rings" {
					if err := o.groups.CreateGroup(t.Context(), sampleGroup(id)); err != nil {
						t.Fatal(err)
					}
				}
				s.do(t, http.MethodPut, path, `{"data":`+data+`}`)
				wantCorrupt(t, o, folder, id)
				after := s.do(t, http.MethodGet, path, "").member(t, "data")
				if v, _ := after["metadata"].(map[string]any)["version"].(float64); v != 1 {
					t.Errorf("%s: version %v is there, want the one that was", id, v)
				}
			}
		}
	})
}

func wantCorrupt(t *testing.T, o opened, folder string, id group.ID) {
	t.Helper()
	calls := map[string]error{"DeleteGroup": o.groups.DeleteGroup(t.Context(), id)}
	if folder == "rings" {
		_, calls["Ring"] = o.keys.Ring(t.Context(), id)
		calls["UpdateRing"] = o.keys.UpdateRing(t.Context(), id, adding(t, "k1"))
	} else {
		_, calls["Group"] = o.groups.Group(t.Context(), id)
		calls["UpdateGroup"] = o.groups.UpdateGroup(t.Context(), id, func(g group.Group) (group.Group, error) { return g, nil })
	}
	for name, err := range calls {
		if !errors.Is(err, ports.ErrCorrupt) || errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s of %s: got the error %v, want %v", name, id, err, ports.ErrCorrupt)
		}
	}
}

// A deleted ring that counted as one that never was would get a new default
// key, which nobody knows who opens tokens.
func TestARecordThatWasDeletedByHandIsDamageUntilItsMetadataIsGoneToo(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		for _, how := range []struct{ method, path, body string }{
			{http.MethodDelete, "data", ""}, {http.MethodPut, "destroy", `{"versions":[1,2,3,4,5]}`},
		} {
			if err := o.groups.CreateGroup(t.Context(), sampleGroup("acme")); err != nil {
				t.Fatalf("%s: %v", how.path, err)
			}
			o.add(t, "acme", "k1")
			for _, folder := range []string{"rings", "groups"} {
				s.do(t, how.method, "secret/"+how.path+"/"+o.prefix+"/"+folder+"/acme", how.body)
				_, err := o.groups.Group(t.Context(), "acme")
				if folder == "rings" && err != nil {
					t.Error(err)
				}
				_, err = o.keys.Ring(t.Context(), "acme")
				wantOnly(t, err, ports.ErrCorrupt)
				wantOnly(t, o.keys.UpdateRing(t.Context(), "acme", adding(t, "k2")), ports.ErrCorrupt)
				wantOnly(t, o.groups.DeleteGroup(t.Context(), "acme"), ports.ErrCorrupt)
			}
			_, err := o.groups.Group(t.Context(), "acme")
			wantOnly(t, err, ports.ErrCorrupt)
			wantOnly(t, o.groups.CreateGroup(t.Context(), sampleGroup("acme")), ports.ErrCorrupt)
			for _, folder := range []string{"rings", "groups"} {
				s.do(t, http.MethodDelete, "secret/metadata/"+o.prefix+"/"+folder+"/acme", "")
			}
		}
		if err := o.groups.CreateGroup(t.Context(), sampleGroup("acme")); err != nil {
			t.Error(err)
		}
		o.add(t, "acme", "k2")
	})
}

func TestTheDoctorTellsOfRingsThatAreDamagedOrWillDeleteThemselves(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		for _, id := range []group.ID{"acme", "globex", "initech"} {
			o.add(t, id, "k1")
		}
		s.do(t, http.MethodDelete, "secret/data/"+o.prefix+"/rings/globex", "")
		cfg := s.tokenConfig()
		cfg.Prefix = o.prefix
		e, err := vault.Examine(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(sick(e.Findings)); !strings.Contains(text, "the ring of globex") || strings.Contains(text, "acme") {
			t.Errorf("got %s", text)
		}
	})
}

func TestTheDoctorTellsOfRingsThatVaultWillDelete(t *testing.T) {
	s := realSite(t)
	o := s.open(t)
	o.add(t, "acme", "k1")
	s.do(t, http.MethodPost, "secret/metadata/"+o.prefix+"/rings/acme", `{"delete_version_after":"1h"}`)
	o.add(t, "acme", "k2")
	cfg := s.tokenConfig()
	cfg.Prefix = o.prefix
	e, err := vault.Examine(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(sick(e.Findings)); !strings.Contains(text, "Vault will delete by itself: the ring of acme") {
		t.Errorf("got %s", text)
	}
}

// echo answers with all that it was sent, in one of several shapes.
type echo struct {
	next  http.Handler
	shape atomic.Int64
}

const echoShapes = 8

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	shape := e.shape.Load()
	if shape == 0 {
		e.next.ServeHTTP(w, r)
		return
	}
	said := fmt.Sprint(r.Header, string(body))
	quoted, _ := json.Marshal(said)
	switch shape {
	case 1:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, said)
	case 2:
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `{"errors":[%s]}`, quoted)
	case 3:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"errors":["Vault is sealed",%s]}`, quoted)
	case 4:
		_, _ = fmt.Fprintf(w, `{"data":%s}`, quoted)
	case 5:
		_, _ = fmt.Fprintf(w, `{"data":{"data":{"v":1,"write_id":%s,"document":%s},"metadata":{"version":1}}}`, quoted, quoted)
	case 6:
		w.Header().Set("Location", "http://127.0.0.1/"+r.Header.Get("X-Vault-Token"))
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, map[int64]string{7: "HTTP/1.1 " + r.Header.Get("X-Vault-Token"), 8: said}[shape]+"\r\n\r\n")
		_ = conn.Close()
	}
}

func TestNoSecretIsInAnErrorOrALog(t *testing.T) {
	fake := vaultfake.Start(t)
	e := &echo{next: fake}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	s := fakeSite(fake)
	id, secretID := s.appRole(t, `{"token_policies":"root","token_ttl":"1s","token_max_ttl":"2s"}`)
	secret := secretID()
	var log lockedBuffer
	cfg := s.tokenConfig()
	cfg.Addresses, cfg.CallTimeout, cfg.TryTimeout = []string{server.URL}, time.Second, 500*time.Millisecond
	cfg.Auth = vault.AuthConfig{Method: vault.MethodAppRole, RoleID: id, SecretID: newSecret(secret)}
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, closing, err := vault.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	groups, keys := vault.NewGroupStore(b), vault.NewKeyStore(b)
	if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
		t.Fatal(err)
	}
	var said []string
	for shape := range int64(echoShapes + 1) {
		e.shape.Store(shape)
		_, ringErr := keys.Ring(t.Context(), "acme")
		_, groupErr := groups.Group(t.Context(), "acme")
		for _, err := range []error{
			ringErr, groupErr, keys.UpdateRing(t.Context(), "acme", adding(t, "k2")),
			groups.CreateGroup(t.Context(), sampleGroup("globex")), b.Check(t.Context()),
		} {
			if err != nil {
				said = append(said, fmt.Sprintf("%v %+v %q", err, err, err))
			}
		}
		time.Sleep(1200 * time.Millisecond) // the token expires: renewals and log-ins fail too
	}
	closing() // printing looks into fields that the log-in writes
	said = append(said, fmt.Sprintf("%v %+v %#v", b, b, cfg), log.String())
	if len(said) < echoShapes*3 || !strings.Contains(log.String(), "log-in failed") {
		t.Fatalf("only %d texts to look at, and the log %s", len(said), log.String())
	}
	tokens := append(fake.Tokens(), secret, material("k1"), material("k2"))
	tokens = slices.DeleteFunc(tokens, func(t string) bool { return t == vaultfake.RootToken })
	for _, text := range said {
		for _, canary := range tokens {
			if strings.Contains(text, canary) {
				t.Errorf("%q holds %s", text, canary)
			}
		}
	}
	t.Logf("%d texts, %d secrets", len(said), len(tokens))
}

// lockedBuffer is a log that goroutines share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
