package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"embedseal/adapters/httpapi/apispec"
	"embedseal/adapters/vault/vaulttest"
)

// judged is the answer to a token that was presented.
type judged struct {
	status       int
	Active       bool `json:"active"`
	Reason, Code string
	Fingerprint  string `json:"fingerprint"`
	text         string
}

func judge(t *testing.T, address, apiToken, jwt string) judged {
	t.Helper()
	body := `{"jwt":"` + jwt + `"}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/api/verify_jwt/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+apiToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	data, err := conforms(request, body, response, apispec.Public)
	if err != nil {
		t.Fatal(err)
	}
	j := judged{status: response.StatusCode, text: string(data)}
	if err := json.Unmarshal(data, &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// wantGood fails the test unless each of the tokens is good.
func wantGood(t *testing.T, address, apiToken string, tokens ...string) {
	t.Helper()
	for i, jwt := range tokens {
		if j := judge(t, address, apiToken, jwt); j.status != http.StatusOK || !j.Active {
			t.Errorf("token %d is not good: %d %s", i, j.status, j.text)
		}
	}
}

// wantRevoked fails the test unless each of the tokens is revoked.
func wantRevoked(t *testing.T, address, apiToken string, tokens ...string) {
	t.Helper()
	for i, jwt := range tokens {
		if j := judge(t, address, apiToken, jwt); j.status != http.StatusOK || j.Active || j.Reason != "revoked" {
			t.Errorf("token %d is not revoked: %d %s", i, j.status, j.text)
		}
	}
}

func mintFor(t *testing.T, address, apiToken, customer, embed string) string {
	t.Helper()
	a := post(t, address, apiToken, fmt.Sprintf(`{"provided_id":%q,"embed_id":%q}`, customer, embed))
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	return a.JWT
}

// What was acknowledged is refused by the server that took it, and by the one that
// starts after a kill -9.
func TestWhatWasRevokedIsRefusedAtOnceAndAfterAKill(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			made := initialise(t, dir, store)
			args := []string{"serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0"}
			p := start(t, nil, args...)
			address := p.address(t)
			one := mintFor(t, address, made.APIToken, "customer_1", "abcde")
			two := mintFor(t, address, made.APIToken, "customer_1", "fghij")
			three := mintFor(t, address, made.APIToken, "customer_2", "fghij")
			four := mintFor(t, address, made.APIToken, "customer_3", "klmno")
			wantGood(t, address, made.APIToken, one, two, three, four)

			file := write(t, filepath.Join(t.TempDir(), "leaked"), `{"success": 1, "jwt": "`+one+`"}`+"\n")
			execute(t, "revoke", "token", "--token-file", file, "--data-dir", dir, "--yes").want(t, exitOK)
			wantRevoked(t, address, made.APIToken, one)
			wantGood(t, address, made.APIToken, two, three, four)
			execute(t, "revoke", "customer", "customer_1", "--data-dir", dir, "--yes").want(t, exitOK)
			wantRevoked(t, address, made.APIToken, two)
			wantGood(t, address, made.APIToken, three, four)
			execute(t, "revoke", "embed", "fghij", "--data-dir", dir, "--yes", "--note", "showed too much").want(t, exitOK)
			wantRevoked(t, address, made.APIToken, three)
			wantGood(t, address, made.APIToken, four)
			execute(t, "revoke", "key", made.KeyID, "--data-dir", dir, "--yes").want(t, exitOK)
			p.signal(t, syscall.SIGKILL) // with the answer
			<-p.ended

			p = start(t, nil, args...)
			address = p.address(t)
			wantRevoked(t, address, made.APIToken, one, two, three, four)
			time.Sleep(time.Second) // the second of issue counts as a whole
			wantGood(t, address, made.APIToken, mintFor(t, address, made.APIToken, "customer_1", "fghij"))
			listed := decode[struct {
				Items []revocationView `json:"items"`
				Next  *string          `json:"next"`
			}](t, execute(t, "revoke", "list", "--data-dir", dir, "--output", "json").want(t, exitOK))
			kinds := ""
			for _, v := range listed.Items {
				kinds += v.Kind + " "
			}
			if kinds != "token customer embed key " {
				t.Errorf("the list has %s", kinds)
			}
		})
	}
}

func TestATokenIsNeverAnArgumentAndNotShown(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, always(http.StatusCreated, examples(t)["RevocationMade"]))
	const vector = exampleJWT
	const other = "77e4a7e9b3f2fb2ed7d0a8a98f4df90b0dd2c5b9b9f8a3a1f2f3a7b5b0a6f2aa"
	file := write(t, filepath.Join(t.TempDir(), "token"), vector+"\n")
	base := []string{"revoke", "token", "--data-dir", f.dir}
	for name, c := range map[string]struct {
		w    world
		args []string
		code int
		says string
	}{
		"as an argument":            {world{}, []string{vector, "--yes"}, exitUsage, "--token-file"},
		"cut short":                 {world{stdin: vector[:len(vector)-1]}, []string{"--token-file", "-", "--yes"}, exitFailure, "not an embed token in its one spelling"},
		"twice":                     {world{}, []string{other, "--token-file", file, "--yes"}, exitUsage, "given twice"},
		"not at all":                {world{}, []string{"--yes"}, exitUsage, "which token?"},
		"on standard input, asking": {world{stdin: vector, terminal: true}, []string{"--token-file", "-"}, exitUsage, "add --yes"},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.w.run(t, append(base, c.args...)...).want(t, c.code, c.says)
			if strings.Contains(o.stdout+o.stderr, vector[:len(vector)-1]) {
				t.Errorf("the token is shown: %+v", o)
			}
		})
	}
	if asked := f.questions(); len(asked) > 0 {
		t.Fatalf("asked %+v", asked)
	}
	for name, w := range map[string]world{"a file": {}, "standard input": {stdin: vector}} {
		from := "-"
		if name == "a file" {
			from = file
		}
		o := w.run(t, append(base, "--token-file", from, "--yes")...).want(t, exitOK)
		asked := f.questions()
		if len(asked) != 1 || asked[0].body != `{"kind":"token","token":"`+vector+`"}` {
			t.Fatalf("%s: asked %+v", name, asked)
		}
		if strings.Contains(o.stdout+o.stderr, vector[:40]) {
			t.Errorf("%s: the token is shown: %+v", name, o)
		}
	}
}

// Two servers over one Vault: what one revokes the other refuses within fresh_for;
// while Vault is away for the grace, and then nobody is let through.
func TestWhatOneServerRevokesTheOtherRefusesWithinFreshFor(t *testing.T) {
	t.Parallel()
	server := vaulttest.Dev(t)
	dir, err := os.MkdirTemp("", "es-") // a short one: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const freshFor, grace = time.Second, 4 * time.Second
	environ := []string{
		"EMBEDSEAL_STORE=vault", "EMBEDSEAL_VAULT_ADDRESSES=" + server.Address, "EMBEDSEAL_VAULT_TOKEN=" + server.Token,
		"EMBEDSEAL_CACHE_FRESH_FOR=" + freshFor.String(), "EMBEDSEAL_CACHE_GRACE=" + grace.String(),
	}
	made := decode[initialised](t, start(t, environ, "init", "--data-dir", filepath.Join(dir, "init"), "--output", "json").wait(t).want(t, exitOK))
	var addresses []string
	for i := range 2 {
		p := start(t, append(environ, fmt.Sprintf("EMBEDSEAL_AUDIT_PATH=%s/audit-%d.log", dir, i), fmt.Sprintf("EMBEDSEAL_AUDIT_NAME=server-%d", i)),
			"serve", "--listen", "127.0.0.1:0", "--admin-socket", fmt.Sprintf("%s/%d.sock", dir, i))
		addresses = append(addresses, p.address(t))
	}
	var latest time.Duration
	for round := range 5 {
		jwt := mintFor(t, addresses[0], made.APIToken, fmt.Sprint("customer_", round), "abcde")
		wantGood(t, addresses[1], made.APIToken, jwt)
		execute(t, "revoke", "customer", fmt.Sprint("customer_", round), "--admin-socket", dir+"/0.sock", "--yes").want(t, exitOK)
		acknowledged := time.Now()
		wantRevoked(t, addresses[0], made.APIToken, jwt)
		for {
			begun := time.Now()
			if j := judge(t, addresses[1], made.APIToken, jwt); !j.Active {
				wantRevoked(t, addresses[1], made.APIToken, jwt)
				latest = max(latest, time.Since(acknowledged))
				break
			}
			if begun.Sub(acknowledged) > freshFor {
				t.Fatalf("the other server lets it through %s after it was revoked", begun.Sub(acknowledged))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	t.Logf("refused on the other server %s after it was acknowledged, at the latest; fresh_for is %s", latest, freshFor)

	bad := mintFor(t, addresses[1], made.APIToken, "customer_x", "abcde")
	good := mintFor(t, addresses[1], made.APIToken, "customer_y", "abcde")
	execute(t, "revoke", "customer", "customer_x", "--admin-socket", dir+"/1.sock", "--yes").want(t, exitOK)
	server.Kill(t)
	away := time.Now()
	for rounds := 0; ; rounds++ {
		goodNow, badNow := judge(t, addresses[1], made.APIToken, good), judge(t, addresses[1], made.APIToken, bad)
		if took := time.Since(away); took >= grace-time.Second { // on a busy machine the answers may be from after it
			if rounds == 0 {
				t.Fatalf("the first answers took %s", took)
			}
			break
		}
		if !goodNow.Active || badNow.Active || badNow.Reason != "revoked" {
			t.Fatalf("%s after Vault went away: %d %s and %d %s", time.Since(away), goodNow.status, goodNow.text, badNow.status, badNow.text)
		}
		time.Sleep(200 * time.Millisecond)
	}
	for deadline := away.Add(freshFor + grace + 5*time.Second); ; time.Sleep(100 * time.Millisecond) {
		j := judge(t, addresses[1], made.APIToken, good)
		if j.status == http.StatusServiceUnavailable && j.Code == "store_unavailable" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("past the grace: %d %s", j.status, j.text)
		}
	}
}

func TestTheVerbsThatRevokePointToOneAnother(t *testing.T) {
	f := newFakeAdmin(t, ofPath(examples(t)))
	for _, wrong := range []string{vector12, strings.Repeat("ab", 32)} {
		o := run(t, "token", "revoke", wrong, "--yes", "--data-dir", f.dir).want(t, exitUsage, "an embed token is taken back with: embedseal revoke token\n")
		if strings.Contains(o.stderr, wrong) {
			t.Errorf("the token is shown: %s", o.stderr)
		}
	}
	run(t, "revoke", "token", "5f3a9c0d1e2b4a67", "--yes", "--data-dir", f.dir).want(t, exitUsage, "an API token is revoked with: embedseal token revoke ID\n")
	run(t, "revoke", "customer", "c", "--before", "2026-11-26", "--yes", "--data-dir", f.dir).
		want(t, exitUsage, `--before "2026-11-26" is no time such as 2026-01-31T10:00:00Z (RFC 3339)`)
	if asked := f.questions(); len(asked) != 0 {
		t.Errorf("asked %+v", asked)
	}
}
