package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/datadir"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
)

// fixture makes a store that holds the default group and its API token, and no
// key: init does not make such a one, an import does.
func fixture(t *testing.T, dir, store string, rules policy.Policy) (apiToken string) {
	t.Helper()
	write(t, filepath.Join(dir, "master.key"), randomKey("fixture")+"\n")
	master := secret.New(randomKey("fixture"))
	if err := createStore(t.Context(), store, datadir.At(dir), master); err != nil {
		t.Fatal(err)
	}
	s, release, err := openSealed(t.Context(), store, datadir.At(dir), master)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	text := apitoken.New("default", [apitoken.Entropy]byte{3: 7, 30: 9})
	err = s.Groups.CreateGroup(t.Context(), group.Group{
		ID: firstGroup, Name: "default", Policy: rules, CreatedAt: time.Unix(1_700_000_000, 0).UTC(),
		Tokens: []apitoken.Token{{
			ID: "0123456789abcdef", Name: "first", Digest: apitoken.DigestOf(text), Scopes: apitoken.ReadWrite,
			CreatedAt: time.Unix(1_700_000_000, 0).UTC(),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "api-token"), text.Reveal()+"\n")
	return text.Reveal()
}

// ringOf reads the keys of a store that nobody serves.
func ringOf(t *testing.T, dir, store string) key.Ring {
	t.Helper()
	master, err := datadir.At(dir).Read(datadir.MasterKey)
	if err != nil {
		t.Fatal(err)
	}
	s, release, err := openSealed(t.Context(), store, datadir.At(dir), master)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ring, err := s.Keys.Ring(t.Context(), firstGroup)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestWhatIsMintedIsFoundByInspect(t *testing.T) {
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			made := initialise(t, dir, store)
			var kids []string
			for range 2 { // and once more after a restart
				s := serve(t, "--data-dir", dir, "--store", store)
				mint := []string{"mint", "--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "customer_1", "--embed-id", "abcde"}
				o := run(t, mint...).want(t, exitOK)
				found := inspected(t, o.stdout, made.KeyValue)
				if !found.OK || !found.Opened || found.IVBytes != 12 || *found.SecondsLeft < 86_000 || *found.SecondsLeft > 86_400 {
					t.Errorf("got %+v", found)
				}
				kids = append(kids, found.Header.Kid)
				var claims map[string]any
				if err := json.Unmarshal(found.Claims, &claims); err != nil {
					t.Fatal(err)
				}
				delete(claims, "exp")
				delete(claims, "iat")
				if diff := cmp.Diff(map[string]any{"cst": "customer_1", "dsh": "abcde"}, claims); diff != "" {
					t.Error(diff)
				}
				asJSON := decode[mintAnswer](t, run(t, append(mint, "--output", "json")...).want(t, exitOK))
				if asJSON.Success != 1 || !inspected(t, asJSON.JWT, made.KeyValue).OK {
					t.Errorf("as JSON: %+v", asJSON)
				}
				s.stop(t)
			}
			if diff := cmp.Diff([]string{made.KeyID, made.KeyID}, kids); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMintSendsEveryFlag(t *testing.T) {
	dir := t.TempDir()
	rules := policy.Default()
	rules.ChartEmbedding = true
	fixture(t, dir, storeBbolt, rules)
	made := decode[initialised](t, run(t, "init", "--data-dir", dir, "--output", "json").want(t, exitOK))
	secretKey, found := ringOf(t, dir, storeBbolt).Find(key.ID(made.KeyID))
	if !found {
		t.Fatalf("init says that the key is %s, and there is none", made.KeyID)
	}
	s := serve(t, "--data-dir", dir, "--token-chart-claim", "chart")
	base := []string{"mint", "--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "c", "--embed-id", "e"}
	for _, test := range []struct {
		name string
		args []string
		want map[string]any
	}{
		{"all", []string{
			"--key-id", made.KeyID, "--expiration", "PT90S", "--chart-id", "x1", "--embed-origin", "https://Your-Domain.com:443",
			"--feature", "flt,srt", "--feature", "fork", "--disable-editing",
		}, map[string]any{
			"cst": "c", "dsh": "e", "chart": "x1", "iss": "https://your-domain.com/", "des": true, "rbc": []any{"flt", "srt", "fork"},
		}},
		{"every feature", []string{"--feature", "*"}, map[string]any{"cst": "c", "dsh": "e", "rbc": []any{"*"}}},
		{"no feature", []string{"--no-features"}, map[string]any{"cst": "c", "dsh": "e", "rbc": []any{}}},
		{"editing expressly allowed", []string{"--disable-editing=false"}, map[string]any{"cst": "c", "dsh": "e", "des": false}},
		{"none", nil, map[string]any{"cst": "c", "dsh": "e"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := run(t, append(base, test.args...)...).want(t, exitOK)
			var claims map[string]any
			shown := inspected(t, o.stdout, secretKey.Secret.Reveal(), "--token-chart-claim", "chart")
			if !shown.OK || shown.Header.Kid != made.KeyID {
				t.Fatalf("got %+v", shown)
			}
			if err := json.Unmarshal(shown.Claims, &claims); err != nil {
				t.Fatal(err)
			}
			lives := claims["exp"].(float64) - claims["iat"].(float64)
			if want := map[bool]float64{true: 90, false: 86_400}[test.name == "all"]; lives != want {
				t.Errorf("lives %v seconds, want %v", lives, want)
			}
			delete(claims, "exp")
			delete(claims, "iat")
			if diff := cmp.Diff(test.want, claims); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The test above has to know every flag there is.
func TestMintHasNoFurtherFlag(t *testing.T) {
	named := map[string]bool{}
	for _, f := range flagsOf(verbs()["mint"]) {
		named[f.Name] = true
	}
	for _, tried := range []string{"key-id", "expiration", "chart-id", "embed-origin", "feature", "no-features", "disable-editing"} {
		delete(named, tried)
	}
	for _, other := range []string{"provided-id", "embed-id", "help", "server", "api-token-file", "data-dir", "dry-run", "batch"} {
		delete(named, other)
	}
	if len(named) != 0 {
		t.Errorf("flags that this test does not know: %v", named)
	}
}

func TestARefusalIsShownWithItsFields(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeFile)
	s := serve(t, "--data-dir", dir, "--store", "file")
	base := []string{"mint", "--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "c", "--embed-id", "e"}
	wrong := append(base, "--expiration", "yesterday", "--feature", "flt,zork", "--embed-origin", "https://a.example/page")
	o := run(t, wrong...).want(t, exitRefused, "the server refused: 400 invalid_request",
		"\n  expiration: ", "\n  rb_allowed_features: ", ", see --feature", "\n  embed_origin: ", "\n  request id ")
	if o.stdout != "" {
		t.Errorf("standard output: %s", o.stdout)
	}
	shown := decode[mintAnswer](t, run(t, append(wrong, "--output", "json")...).want(t, exitRefused))
	if shown.Success != 0 || shown.Status != 400 || shown.Code != "invalid_request" || len(shown.Errors) != 3 || shown.RequestID == "" {
		t.Errorf("as JSON: %+v", shown)
	}
	run(t, append(base, "--chart-id", "x")...).want(t, exitRefused, "403 policy_refused", "chart_id: ")
	run(t, append(base, "--key-id", "11111111-1111-4111-8111-111111111111")...).want(t, exitRefused, "404 unknown_key")
}

func TestADryRunShowsWhatWouldBeInTheTokenAndMakesNothing(t *testing.T) {
	dir := t.TempDir()
	rules := policy.Default()
	rules.Mode, rules.Embeds = policy.Clamp, []policy.Glob{"e*"}
	fixture(t, dir, storeBbolt, rules)
	s := serve(t, "--data-dir", dir)
	dry := []string{"mint", "--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "c", "--dry-run", "--expiration", "P31D", "--embed-id"}

	o := run(t, append(dry, "e1")...).want(t, exitOK)
	for _, says := range []string{
		"Allowed   yes; no token was made\n", "\nKey       the group's default key, which would be made first\n", "\nClaims    {\"cst\":\"c\",\"dsh\":\"e1\",\"exp\":",
		"\nLifetime  720h0m0s, until 20", "\nCut       expiration: ", "P30D", "(lifetime_too_long)",
	} {
		if !strings.Contains(o.stdout, says) {
			t.Errorf("it does not say %q:\n%s", says, o.stdout)
		}
	}
	o = run(t, append(dry, "x1")...).want(t, exitRefused)
	if !strings.HasPrefix(o.stdout, "Allowed   no; no token was made\n  embed_id: ") || !strings.Contains(o.stdout, "(embed_not_allowed)") || o.stderr != "" {
		t.Errorf("refused with\n%s%s", o.stdout, o.stderr)
	}
	shown := decode[dryRunAnswer](t, run(t, append(dry, "x1", "--output", "json")...).want(t, exitRefused))
	if shown.Allowed || !shown.DryRun || shown.KeyID != nil || len(shown.Errors) != 1 || shown.Errors[0].Code != "embed_not_allowed" || string(shown.Claims) != "null" {
		t.Errorf("as JSON: %+v", shown)
	}
	shown = decode[dryRunAnswer](t, run(t, append(dry, "e1", "--output", "json")...).want(t, exitOK))
	if !shown.Allowed || shown.Success != 1 || shown.Errors == nil || len(shown.Warnings) != 1 {
		t.Errorf("as JSON: %+v", shown)
	}
	run(t, append(dry, "e1", "--key-id", "no/key")...).want(t, exitRefused, "400 invalid_request", "key_id: ")
	s.stop(t)
	if ring := ringOf(t, dir, storeBbolt); ring.Len() != 0 {
		t.Errorf("there are %d keys now", ring.Len())
	}
}

func TestWhatThePolicyCutsIsAWarningBesideTheToken(t *testing.T) {
	dir := t.TempDir()
	rules := policy.Default()
	rules.Mode = policy.Clamp
	fixture(t, dir, storeBbolt, rules)
	s := serve(t, "--data-dir", dir)
	mint := []string{"mint", "--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "c", "--embed-id", "e", "--expiration", "P31D"}
	o := run(t, mint...).want(t, exitOK)
	if !strings.HasPrefix(o.stderr, "warning: expiration: ") || strings.Count(o.stderr, "\n") != 1 || strings.Count(o.stdout, "\n") != 1 || !strings.HasPrefix(o.stdout, "eyJ") {
		t.Errorf("standard output %q, standard error %q", o.stdout, o.stderr)
	}
	if shown := decode[mintAnswer](t, run(t, append(mint, "--output", "json")...).want(t, exitOK)); shown.JWT == "" || len(shown.Warnings) != 1 {
		t.Errorf("as JSON: %+v", shown)
	}
}

func TestADryRunThatAServerOfBeforeTakesForAMintShowsNoToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	before := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"success": 1, "jwt": "eyJhbGciOiJkaXIi"}`))
	}))
	t.Cleanup(before.Close)
	o := run(t, "mint", "--server", before.URL, "--data-dir", dir, "--provided-id", "c", "--embed-id", "e", "--dry-run").want(t, exitFailure, "does not know dry runs")
	if strings.Contains(o.stdout+o.stderr, "eyJ") {
		t.Errorf("it shows the token:\n%s%s", o.stdout, o.stderr)
	}
}

func TestMintTakesItsTokenFromWhereItIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	nowhere := filepath.Join(t.TempDir(), "none")
	other := write(t, filepath.Join(t.TempDir(), "token"), made.APIToken+"\n")
	mint := []string{"mint", "--server", "http://" + s.address, "--data-dir", nowhere, "--provided-id", "c", "--embed-id", "e"}
	for name, o := range map[string]outcome{
		"a file of a flag":          run(t, append(mint, "--api-token-file", other)...),
		"the environment":           world{environ: []string{"EMBEDSEAL_API_TOKEN=" + made.APIToken}}.run(t, mint...),
		"a file of the environment": world{environ: []string{"EMBEDSEAL_API_TOKEN_FILE=" + other}}.run(t, mint...),
		"a server of the environment": world{environ: []string{"EMBEDSEAL_SERVER=http://" + s.address, "EMBEDSEAL_DATA_DIR=" + dir}}.
			run(t, "mint", "--provided-id", "c", "--embed-id", "e"),
	} {
		if o.code != exitOK || !inspected(t, o.stdout, made.KeyValue).OK {
			t.Errorf("with %s: %+v", name, o)
		}
	}
	run(t, mint...).want(t, exitFailure, filepath.Join(nowhere, "api-token"), "--api-token-file", "EMBEDSEAL_API_TOKEN").oneLine(t)
	foreign := apitoken.New("default", [apitoken.Entropy]byte{1})
	world{environ: []string{"EMBEDSEAL_API_TOKEN=" + foreign.Reveal()}}.run(t, mint...).want(t, exitRefused, "401 unauthenticated")
	o := world{environ: []string{"EMBEDSEAL_API_TOKEN=" + made.APIToken[:30] + "x"}}.run(t, mint...).want(t, exitConfig, "EMBEDSEAL_API_TOKEN")
	if strings.Contains(o.stderr, made.APIToken[4:20]) {
		t.Errorf("the token is shown:\n%s", o.stderr)
	}
}

func TestWhoeverIsRefusedIsToldWhichTokenAndWhichServer(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "other")
	initialise(t, dir, storeFile)
	stranger := initialise(t, other, storeFile)
	operator := write(t, filepath.Join(t.TempDir(), "operator"), strings.Repeat("o", 32))
	admin, ops := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	s := serve(t, "--data-dir", dir, "--store", "file", "--admin-listen", admin, "--ops-listen", ops)
	mint := []string{"mint", "--provided-id", "c", "--embed-id", "e"}
	server, file := "http://"+s.address, filepath.Join(other, "api-token")
	for _, args := range [][]string{mint, append(mint, "--dry-run"), {"verify", vector12}} {
		run(t, append(args, "--server", server, "--data-dir", other)...).
			want(t, exitRefused, "401 unauthenticated: the API token in "+file+" is not good at "+server+": ")
		run(t, append(args, "--server", server, "--api-token-file", file)...).want(t, exitRefused, "the API token in "+file+" is")
		world{environ: []string{"EMBEDSEAL_API_TOKEN=" + stranger.APIToken}}.run(t, append(args, "--server", server)...).
			want(t, exitRefused, "the API token of the setting api_token is")
		run(t, append(args, "--server", "http://"+admin, "--data-dir", dir)...).
			want(t, exitRefused, "http://"+admin+" is not the public listener; check --server")
	}
	run(t, "verify", vector12, "--server", "http://"+ops, "--data-dir", dir).want(t, exitRefused, "check --server")
	run(t, "group", "list", "--admin-server", "http://"+admin, "--operator-token-file", operator).
		want(t, exitRefused, "401 unauthenticated: the token in "+operator+" is not good there")
	world{environ: []string{"EMBEDSEAL_OPERATOR_TOKEN=" + strings.Repeat("o", 32)}}.run(t, "group", "list", "--admin-server", "http://"+admin).
		want(t, exitRefused, "the token of the setting operator_token is not good there")
}

func TestMintSaysWhatIsWrongWithTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
			return
		}
		_, _ = w.Write([]byte("<html>welcome</html>"))
	}))
	t.Cleanup(stranger.Close)
	for name, test := range map[string]struct{ server, says string }{
		"nobody there":  {"http://127.0.0.1:" + freePort(t), "is the server running? (embedseal serve, or --server URL)"},
		"another one":   {stranger.URL, "not as an embedseal server does; check --server"},
		"moved":         {stranger.URL + "/moved", "redirect"},
		"not even http": {"http://127.0.0.1:1", "--server"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, "mint", "--server", test.server, "--data-dir", dir, "--provided-id", "c", "--embed-id", "e").
				want(t, exitFailure, test.says, test.server).oneLine(t)
		})
	}
}
