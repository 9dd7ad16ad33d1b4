package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// auditLines reads an audit log, every line of which must be an object. What the log
// says of itself is left out.
func auditLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(contents(t, path)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if record["action"] != "audit_opened" {
			lines = append(lines, record)
		}
	}
	return lines
}

// recorded is a request, its status, and what must stand in its audit record.
type recorded struct {
	apiToken, body string
	status         int
	want           map[string]any
}

// asked puts the secrets of a store into every place of a request.
func asked(made initialised) []recorded {
	return []recorded{
		{made.APIToken, goodBody, http.StatusOK, map[string]any{"outcome": "granted", "key_id": made.KeyID, "customer": "customer_1", "embed": "abcde"}},
		{made.APIToken, `{"provided_id": "a", "embed_id": "b", "embed_origin": "` + made.KeyValue + `"}`, http.StatusBadRequest,
			map[string]any{"outcome": "refused", "code": "invalid_request", "rules": []any{"embed_origin:malformed"}}},
		{made.APIToken, `{"provided_id": "a", "embed_id": "b", "` + made.APIToken + `": 1}`, http.StatusBadRequest, map[string]any{"outcome": "refused"}},
		{made.APIToken, `{"provided_id": "a", "embed_id": "b", "key_id": "` + made.APIToken + `"}`, http.StatusNotFound, map[string]any{"outcome": "refused", "code": "unknown_key"}},
		{made.APIToken, `{"provided_id": "` + made.KeyValue, http.StatusBadRequest, map[string]any{"outcome": "refused", "code": "malformed_json"}},
		{made.APIToken[:40], goodBody, http.StatusUnauthorized, map[string]any{"outcome": "refused", "code": "unauthenticated"}},
		{made.KeyValue, goodBody, http.StatusUnauthorized, map[string]any{"outcome": "refused", "code": "unauthenticated"}},
	}
}

func TestEveryMintAndRefusalIsRecordedAndNoSecretGetsOut(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			made := initialise(t, dir, store)
			p := start(t, nil, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0", "--log-level", "debug")
			address := p.address(t)
			canaries := map[string]string{
				"the API token": made.APIToken[len("ems_default_"):], "the embed secret": made.KeyValue,
				"the master key": strings.TrimSpace(contents(t, filepath.Join(dir, "master.key"))),
			}
			before := len(auditLines(t, filepath.Join(dir, "audit.log")))
			said := ""
			var minted string
			for i, a := range asked(made) {
				got := post(t, address, a.apiToken, a.body)
				if got.status != a.status {
					t.Errorf("request %d: %d %s", i, got.status, got.text)
				}
				if got.JWT != "" {
					minted = got.JWT
					canaries["the embed token"] = got.JWT[strings.Index(got.JWT, ".."):]
				} else {
					said += got.text
				}
				if a.status == http.StatusUnauthorized {
					time.Sleep(1100 * time.Millisecond) // of strangers one is recorded at once in each second
				}
				lines := auditLines(t, filepath.Join(dir, "audit.log"))
				if len(lines) != before+i+1 {
					t.Fatalf("after request %d there are %d records and not %d", i, len(lines), before+i+1)
				}
				record := lines[before+i]
				if record["action"] != "mint" || record["request_id"] != got.header.Get("X-Request-Id") || record["remote"] != "127.0.0.1" {
					t.Errorf("record %v", record)
				}
				for name, value := range a.want {
					if diff := cmp.Diff(value, record[name]); diff != "" {
						t.Errorf("%s of the record (-want +got):\n%s", name, diff)
					}
				}
				if got.JWT != "" && record["fingerprint"] != inspected(t, got.JWT, "").Fingerprint {
					t.Errorf("the fingerprint is not that of the token: %v", record)
				}
			}
			o := p.terminate(t).want(t, exitOK)
			if minted == "" {
				t.Fatal("nothing was minted")
			}
			noCanary(t, canaries, "an answer", said)
			noCanary(t, canaries, "standard error", o.stderr+o.stdout)
			for name := range snapshot(t, dir) {
				if info, err := os.Stat(name); err != nil || info.IsDir() || strings.HasSuffix(name, "master.key") || strings.HasSuffix(name, "api-token") {
					continue
				}
				noCanary(t, canaries, name, contents(t, name))
			}
		})
	}
}

func noCanary(t *testing.T, canaries map[string]string, where, text string) {
	t.Helper()
	for what, canary := range canaries {
		if strings.Contains(text, canary) {
			i := strings.Index(text, canary)
			t.Errorf("%s stands in %s: …%s…", what, where, text[max(0, i-200):min(len(text), i+len(canary)+200)])
		}
	}
}

func TestWithoutARecordThereIsNoToken(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		dir := filepath.Join(t.TempDir(), "data")
		made := initialise(t, dir, store)
		s := serve(t, "--data-dir", dir, "--store", store, "--audit-path", "/dev/full")
		for name, body := range map[string]string{"a mint": goodBody, "a refusal": `{}`} {
			a := post(t, s.address, made.APIToken, body)
			if a.status != http.StatusServiceUnavailable || a.Code != "audit_unavailable" || a.JWT != "" || strings.Contains(a.text, `"jwt"`) || a.Errors != nil {
				t.Errorf("%s: %d %s", name, a.status, a.text)
			}
		}
		if status, _ := get(t, s.address, "/healthz"); status != http.StatusOK {
			t.Errorf("/healthz: %d", status)
		}
	}
}

func TestInitRecordsWhatItMakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeFile)
	var got []any
	for _, record := range auditLines(t, filepath.Join(dir, "audit.log")) {
		got = append(got, record["action"], record["outcome"], record["group"], record["key_id"])
	}
	want := []any{
		"create_group", "intent", "default", nil, "create_group", "granted", "default", nil,
		"create_key", "intent", "default", made.KeyID, "create_key", "granted", "default", made.KeyID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	other := filepath.Join(t.TempDir(), "data")
	run(t, "init", "--data-dir", other, "--audit-path", "/dev/full").want(t, exitFailure, "audit record could not be written", "/dev/full")
	mended := initialise(t, other, storeBbolt)
	mints(t, other, storeBbolt, mended.APIToken, mended.KeyID)
}

func TestAuditRecordsGoWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.log")
	for path, read := range map[string]func(*process) string{
		elsewhere: func(*process) string { return contents(t, elsewhere) },
		"-":       func(p *process) string { return p.stderr.String() },
	} {
		before := contents(t, filepath.Join(dir, "audit.log"))
		p := start(t, nil, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--audit-path", path)
		post(t, p.address(t), made.APIToken, goodBody)
		p.terminate(t).want(t, exitOK)
		if n := strings.Count(read(p), `"action":"mint"`); n != 1 {
			t.Errorf("%d records in %s", n, path)
		}
		if contents(t, filepath.Join(dir, "audit.log")) != before {
			t.Errorf("with %s there are records in the data directory, too", path)
		}
	}
}
