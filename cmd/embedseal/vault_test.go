package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"embedseal/adapters/httpapi/apispec"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/adapters/vault/vaulttest"
)

func TestTheCommandsOfTheVaultGuideWork(t *testing.T) {
	t.Parallel()
	server := vaulttest.Dev(t)
	blocks := testedBlocks(t, contents(t, filepath.Join(repository, "docs", "adapters", "vault.md")))
	if len(blocks) == 0 {
		t.Fatal("docs/adapters/vault.md has no block that is marked with <!-- test -->")
	}
	dir, bin := t.TempDir(), t.TempDir()
	for name, target := range map[string]string{"vault": vaulttest.Binary(t), "embedseal": binary(t)} {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + dir,
		"VAULT_ADDR=" + server.Address, "VAULT_TOKEN=" + server.Token,
	}
	// The dev server has Transit already; the guide makes what is missing.
	server.Do(t, http.MethodDelete, "sys/mounts/transit", nil)
	text := strings.ReplaceAll(script(blocks, freePort(t)), "9180", freePort(t))
	p := startIn(t, dir, environ, "sh", "-e", "-c", text)
	o := p.wait(t)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // a server that a block left running
	o.want(t, 0)
}

// vaultSite is a Vault and what the program has to be told of it.
type vaultSite struct {
	address, token string
	dir            string
}

func (v vaultSite) world(more ...string) world {
	return world{environ: append([]string{
		"EMBEDSEAL_STORE=vault", "EMBEDSEAL_VAULT_ADDRESSES=" + v.address, "EMBEDSEAL_VAULT_TOKEN=" + v.token,
		"EMBEDSEAL_DATA_DIR=" + filepath.Join(v.dir, "init"), "EMBEDSEAL_AUDIT_PATH=" + filepath.Join(v.dir, "audit.log"),
		"EMBEDSEAL_OPS_LISTEN=127.0.0.1:0", "EMBEDSEAL_CACHE_FRESH_FOR=200ms",
	}, more...)}
}

// fakeVault is one in process that the test can seal.
func fakeVault(t *testing.T) (*vaultfake.Server, vaultSite) {
	t.Helper()
	fake := vaultfake.Start(t)
	return fake, vaultSite{fake.URL(), vaultfake.RootToken, t.TempDir()}
}

func (v vaultSite) init(t *testing.T, w world) initialised {
	t.Helper()
	return decode[initialised](t, w.run(t, "init", "--output", "json").want(t, exitOK))
}

// ops is the address of the operations listener, as the log has it.
func (s *site) ops(t *testing.T) string {
	t.Helper()
	return opsIn(t, &s.stderr)
}

func opsIn(t *testing.T, stderr *lockedBuffer) string {
	t.Helper()
	_, rest, found := strings.Cut(stderr.String(), " ops=")
	if !found {
		t.Fatalf("the log names no operations listener:\n%s", stderr.String())
	}
	address, _, _ := strings.Cut(rest, "\n")
	return address
}

type readyAnswer struct {
	Status     string `json:"status"`
	Components []struct {
		Name, Status, Code, Detail string
		ServesUntil                *time.Time `json:"serves_until"`
	} `json:"components"`
}

func ready(t *testing.T, address string) (int, readyAnswer) {
	t.Helper()
	status, text := fetched(t, http.DefaultClient, "http://"+address+"/readyz", apispec.Operations)
	var body readyAnswer
	if err := json.Unmarshal([]byte(text), &body); err != nil || len(body.Components) != 2 || body.Components[0].Name != "store" || body.Components[1].Name != "audit" {
		t.Fatalf("%v: %s", err, text)
	}
	return status, body
}

// untilReady waits for that status and code.
func untilReady(t *testing.T, address string, want int, status, code string) readyAnswer {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(50 * time.Millisecond) {
		got, body := ready(t, address)
		if got == want && body.Status == status && body.Components[0].Code == code {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %+v, want %d %s %q", got, body, want, status, code)
		}
	}
}

func TestMintingGoesOnWhileVaultIsSealedAndReadyzSaysSo(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	w := v.world()
	made := v.init(t, w)
	if !made.Created || made.Custody != "material" || made.KeyValue == "" || made.Store != "vault" {
		t.Fatalf("made %+v", made)
	}
	s := w.serve(t)
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	untilReady(t, s.ops(t), 200, "ready", "")

	fake.Seal()
	body := untilReady(t, s.ops(t), 200, "degraded", "store_sealed")
	if until := body.Components[0].ServesUntil; until == nil || time.Until(*until) < 50*time.Minute {
		t.Errorf("it serves until %v, want about an hour from now", until)
	}
	for range 20 {
		if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
			t.Errorf("while sealed: %d %s", a.status, a.text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	fake.Unseal()
	untilReady(t, s.ops(t), 200, "ready", "")
	s.stop(t)
	if !strings.Contains(s.stderr.String(), "code=store_sealed") || !strings.Contains(s.stderr.String(), "the store answers again") {
		t.Errorf("the log does not tell:\n%s", s.stderr.String())
	}
}

func TestWithoutGraceMintingEndsWithVault(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	w := v.world("EMBEDSEAL_CACHE_GRACE=0s")
	made := v.init(t, w)
	s := w.serve(t)
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	fake.Seal()
	untilReady(t, s.ops(t), 503, "unavailable", "store_sealed")
	a := post(t, s.address, made.APIToken, goodBody)
	if a.status != http.StatusServiceUnavailable || a.Code != "store_sealed" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.text)
	}
	fake.Unseal()
	untilReady(t, s.ops(t), 200, "ready", "")
}

func TestAServerStartsWithoutVaultUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	w := v.world()
	made := v.init(t, w)
	fake.Seal()
	w.environ = append(w.environ, "EMBEDSEAL_VAULT_REQUIRE_AT_START=on")
	w.run(t, "serve", "--listen", "127.0.0.1:0").want(t, exitStore, "Vault is sealed")
	w = v.world()
	s := w.serve(t)
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusServiceUnavailable || a.Code != "store_sealed" {
		t.Errorf("%d %s", a.status, a.text)
	}
	if status, body := ready(t, s.ops(t)); status != 503 || body.Status != "unavailable" {
		t.Errorf("%d %+v", status, body)
	}
	fake.Unseal()
	untilReady(t, s.ops(t), 200, "ready", "")
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestTheKeyOfTransitCustodyIsNotShownAndMints(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	w := v.world("EMBEDSEAL_CUSTODY=vault-transit")
	o := w.run(t, "init").want(t, exitOK)
	if !strings.Contains(o.stdout, "cannot be shown") || strings.Contains(o.stdout, "inspect") {
		t.Errorf("init says:\n%s", o.stdout)
	}
	again := v.init(t, w)
	if again.Created || again.Custody != "vault-transit" || again.KeyValue != "" {
		t.Errorf("found %+v", again)
	}
	text := strings.TrimSpace(contents(t, filepath.Join(v.dir, "init", "api-token")))
	s := w.serve(t)
	a := post(t, s.address, text, goodBody)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if o := (world{stdin: a.JWT}).run(t, "inspect", "--output", "json").want(t, exitOK); !strings.Contains(o.stdout, again.KeyID) {
		t.Errorf("the token has another kid: %s", o.stdout)
	}
	fake.Seal()
	if a := post(t, s.address, text, goodBody); a.status != http.StatusServiceUnavailable || a.Code != "custody_unavailable" {
		t.Errorf("while sealed: %d %s", a.status, a.text)
	}
}

// mintPolicy is the policy of docs/adapters/vault.md for a server that reads.
const mintPolicy = `path "secret/data/embedseal/*" { capabilities = ["read"] }
path "secret/data/embedseal/audit/*" { capabilities = ["create", "update", "read"] }`

func TestAReplicaThatOnlyReadsMintsAndMakesNoDefaultKey(t *testing.T) {
	t.Parallel()
	server := vaulttest.Dev(t)
	v := vaultSite{server.Address, server.Token, t.TempDir()}
	made := v.init(t, v.world())
	server.Do(t, http.MethodPut, "sys/policies/acl/mint", map[string]any{"policy": mintPolicy})
	var given struct {
		Token string `json:"client_token"`
	}
	server.Do(t, http.MethodPost, "auth/token/create", map[string]any{"policies": []string{"mint"}}).Auth(t, &given)
	v.token = given.Token
	s := v.world().serve(t)
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	// The group is there, and its keys are gone.
	server.Do(t, http.MethodDelete, "secret/metadata/embedseal/rings/default", nil)
	deadline := time.Now().Add(patient)
	for {
		a := post(t, s.address, made.APIToken, goodBody)
		if a.status == http.StatusConflict && a.Code == "no_default_key" {
			break
		}
		if a.status != http.StatusOK || time.Now().After(deadline) {
			t.Fatalf("%d %s, want 409 no_default_key", a.status, a.text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	audit := contents(t, filepath.Join(v.dir, "audit.log"))
	before := strings.Count(audit, "create_key")
	for range 10 { // and the refusal is remembered, so that Vault is not asked each time
		if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusConflict || a.Code != "no_default_key" {
			t.Errorf("%d %s", a.status, a.text)
		}
	}
	if more := strings.Count(contents(t, filepath.Join(v.dir, "audit.log")), "create_key") - before; more > 2 { // intent and outcome
		t.Errorf("%d more records of attempts to make a key", more)
	}
}

func TestTwoInitsOnOneVaultMakeOneGroup(t *testing.T) {
	t.Parallel()
	_, v := fakeVault(t)
	first := v.init(t, v.world())
	other := v
	other.dir = t.TempDir()
	second := other.init(t, other.world())
	if !first.Created || second.Created || second.APIToken != "" || second.KeyValue != "" || second.KeyID != first.KeyID {
		t.Errorf("made %+v, then %+v", first, second)
	}
	if second.APITokenFile != "" {
		t.Errorf("it names the file %s, which is not there", second.APITokenFile)
	}
}

func TestOfTwoInitsAtTheSameTimeOneMakesTheGroup(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{true, false} { // one data directory, or one each
		for round := range 10 {
			_, v := fakeVault(t)
			other := v
			if !shared {
				other.dir = t.TempDir()
			}
			var made [2]initialised
			var both sync.WaitGroup
			for i, site := range []vaultSite{v, other} {
				both.Go(func() { made[i] = site.init(t, site.world()) })
			}
			both.Wait()
			if made[1].APIToken != "" {
				made[0], made[1] = made[1], made[0]
				v, other = other, v
			}
			// The other may have made the key of the group: then both show it.
			if !made[0].Created || made[0].APIToken == "" || made[1].APIToken != "" || made[0].KeyID != made[1].KeyID ||
				made[1].Created && made[1].KeyValue != made[0].KeyValue {
				t.Fatalf("shared %v, round %d: made %+v and %+v", shared, round, made[0], made[1])
			}
			s := v.world().serve(t)
			if a := post(t, s.address, made[0].APIToken, goodBody); a.status != http.StatusOK {
				t.Fatalf("the token that was shown does not work: %d %s", a.status, a.text)
			}
			if got := strings.TrimSpace(contents(t, filepath.Join(v.dir, "init", "api-token"))); got != made[0].APIToken {
				t.Error("the file holds another token than was shown")
			}
			if _, err := os.Stat(filepath.Join(other.dir, "init", "api-token")); !shared && err == nil {
				t.Error("the one that made nothing leaves a token")
			}
			s.stop(t)
		}
	}
}

func TestInitDoesNotWriteOverTheTokenOfAnotherStore(t *testing.T) {
	t.Parallel()
	_, v := fakeVault(t)
	first := v.init(t, v.world())
	v.world("EMBEDSEAL_VAULT_PREFIX=other").run(t, "init").want(t, exitFailure, "api-token holds the token of another store")
	if got := strings.TrimSpace(contents(t, filepath.Join(v.dir, "init", "api-token"))); got != first.APIToken {
		t.Error("it was written over")
	}
	// A store that is there already, and a directory of another one.
	bolt := filepath.Join(t.TempDir(), "data")
	initialise(t, bolt, storeBbolt)
	v.world("EMBEDSEAL_DATA_DIR="+bolt).run(t, "init").want(t, exitFailure, "holds a bbolt store already")
}

// An init that lost the race against another one, and was killed, has left a
// token that no group knows. It is not shown as if it were one.
func TestATokenThatAnInitLeftAndNoGroupKnowsIsRemoved(t *testing.T) {
	t.Parallel()
	_, v := fakeVault(t)
	v.init(t, v.world())
	other := v
	other.dir = t.TempDir()
	dir := filepath.Join(other.dir, "init")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "init.pending"), "not shown\n")
	write(t, filepath.Join(dir, "api-token"), "ems_default_S1bpbdxZFnFofFgD6m12F31Yq4AQsM2ln9ys\n")
	if made := other.init(t, other.world()); made.Created || made.APIToken != "" || made.APITokenFile != "" {
		t.Errorf("made %+v", made)
	}
	for _, name := range []string{"api-token", "init.pending"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestWhatVaultNeedsIsSaidBeforeItIsAsked(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	w := v.world("EMBEDSEAL_AUDIT_PATH=")
	w.run(t, "serve", "--listen", "127.0.0.1:0").want(t, exitConfig, "audit.path is not set").oneLine(t)
	fake.Revoke(vaultfake.RootToken)
	v.world().run(t, "serve", "--listen", "127.0.0.1:0").want(t, exitStore, "invalid token")
	run(t, "serve", "--store", "vault").want(t, exitConfig, "vault.addresses", "vault.auth")
	run(t, "doctor", "--store", "memory").want(t, exitUsage, "a store in memory")
	run(t, "doctor", "--store", "vault", "--duty", "x").want(t, exitUsage, "--duty must be mint or administer")
}

func TestTheDoctorTellsWhatThisServerLacks(t *testing.T) {
	t.Parallel()
	server := vaulttest.Dev(t)
	v := vaultSite{server.Address, server.Token, t.TempDir()}
	server.Do(t, http.MethodPut, "sys/policies/acl/mint", map[string]any{"policy": mintPolicy})
	var given struct {
		Token string `json:"client_token"`
	}
	server.Do(t, http.MethodPost, "auth/token/create", map[string]any{"policies": []string{"mint"}}).Auth(t, &given)
	v.token = given.Token

	o := v.world().run(t, "doctor", "--duty", "mint").want(t, exitOK)
	if !strings.Contains(o.stdout, "Nothing is missing") {
		t.Errorf("it says:\n%s", o.stdout)
	}
	o = v.world().run(t, "doctor").want(t, exitFailure)
	const line = `path "secret/data/embedseal/*" { capabilities = ["create", "read", "update"] }`
	if !strings.Contains(o.stdout, line) || strings.Contains(o.stdout, "transit/encrypt/embedseal-*\" {") {
		t.Errorf("it does not print the line of policy, or prints one that is not needed:\n%s", o.stdout)
	}
	if o := v.world("EMBEDSEAL_AUDIT_PATH=").run(t, "doctor", "--duty", "mint").want(t, exitFailure); !strings.Contains(o.stdout, "audit.path is not set") {
		t.Errorf("it does not miss the audit log:\n%s", o.stdout)
	}
	d := decode[diagnosis](t, v.world("EMBEDSEAL_CUSTODY=vault-transit").run(t, "doctor", "--duty", "mint", "--output", "json").want(t, exitFailure))
	missing := 0
	for _, f := range d.Findings {
		if f.Needed && !f.OK {
			missing++
			if !strings.HasPrefix(f.Use, "transit") {
				t.Errorf("a finding of another use: %+v", f)
			}
		}
	}
	if d.OK || missing == 0 || d.Duty != "mint" || d.Store != "vault" {
		t.Errorf("got %+v", d)
	}
	v.world("VAULT_TOKEN=x").run(t, "doctor", "--duty", "mint").want(t, exitOK)
	v.token = "nobody's"
	v.world().run(t, "doctor", "--output", "json").want(t, exitFailure)
}

func TestAnOutageIsInTheLogAlthoughNobodyProbes(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	made := v.init(t, v.world())
	s := v.world("EMBEDSEAL_OPS_LISTEN=").serve(t)
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK { // all is known that a mint needs
		t.Fatalf("%d %s", a.status, a.text)
	}
	fake.Seal()
	s.says(t, "the store is away", "code=store_sealed", "minting_goes_on_until=")
	fake.Unseal()
	s.says(t, "the store answers again")
}

// says waits until the log has those words.
func (s *site) says(t *testing.T, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(20 * time.Millisecond) {
		missing := ""
		for _, w := range words {
			if !strings.Contains(s.stderr.String(), w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q:\n%s", missing, s.stderr.String())
		}
	}
}

func TestAServerWithoutItsGroupSaysSo(t *testing.T) {
	t.Parallel()
	_, v := fakeVault(t)
	s := v.world().serve(t)
	s.says(t, "the group that init makes is not there", "run embedseal init")
}

func TestReadyzIsNotDegradedWhereEveryKeyIsInTransit(t *testing.T) {
	t.Parallel()
	fake, v := fakeVault(t)
	w := v.world("EMBEDSEAL_CUSTODY=vault-transit")
	made := v.init(t, w)
	s := w.serve(t)
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	fake.Seal()
	untilReady(t, s.ops(t), 503, "unavailable", "store_sealed")
}

func TestTheConfigurationOfVaultIsCheckedWhole(t *testing.T) {
	t.Parallel()
	_, v := fakeVault(t)
	v.world().run(t, "config", "validate").want(t, exitOK)
	v.world("EMBEDSEAL_AUDIT_PATH=", "EMBEDSEAL_VAULT_CA_FILE="+filepath.Join(v.dir, "none")).
		run(t, "config", "validate").want(t, exitConfig, "audit.path (default): is not set", "read the CA file")
	o := world{environ: []string{"EMBEDSEAL_VAULT_ADDRESSES=" + v.address, "EMBEDSEAL_VAULT_AUTH=token"}}.run(t, "config", "validate").want(t, exitOK)
	if !strings.Contains(o.stderr, "vault: is set, and not used: the store is bbolt") {
		t.Errorf("it says %q", o.stderr)
	}
	// Verbs that open no store do not care.
	if o := (world{environ: []string{"EMBEDSEAL_CUSTODY=vault-transit"}, stdin: vector12}).run(t, "inspect").want(t, exitOK); o.stderr != "" {
		t.Errorf("inspect says %q", o.stderr)
	}
}
