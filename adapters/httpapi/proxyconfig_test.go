package httpapi_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"embedseal/adapters/httpapi/proxytest"
)

// ours are the headers that an answer to a proxy can have for the program behind
// it.
func ours(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range at(t, "components", "responses", "Passed", "headers").(map[string]any) {
		if strings.HasPrefix(name, "X-Embed-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// config is a YAML file of configs/proxy; dig is what stands in it at that place.
func config(t *testing.T, name string) any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "proxy", name))
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func dig[T any](t *testing.T, tree any, path ...string) T {
	t.Helper()
	for _, name := range path {
		switch v := tree.(type) {
		case map[string]any:
			tree = v[name]
		case []any: // of mappings: the one that has that name, or the first
			var found any
			for _, element := range v {
				members, _ := element.(map[string]any)
				if name == "first" && found == nil || members["name"] == name {
					found = element
				}
			}
			tree = found
		}
	}
	got, is := tree.(T)
	if !is {
		t.Fatalf("%s is %T", strings.Join(path, "."), tree)
	}
	return got
}

func sortedTexts(list []any) []string {
	var all []string
	for _, v := range list {
		all = append(all, v.(string))
	}
	slices.Sort(all)
	return all
}

// Traefik is run elsewhere: this is about what is documented, and stands there too.
func TestTraefikTakesAwayWhatTheClientSentBeforeItAsks(t *testing.T) {
	tree := config(t, "traefik.yaml")
	order := dig[[]any](t, tree, "http", "routers", "dashboard", "middlewares")
	if diff := cmp.Diff([]any{"embedseal-ask", "embedseal", "embedseal-strip"}, order); diff != "" {
		t.Errorf("the order of the middlewares:\n%s", diff)
	}
	sets := dig[map[string]any](t, tree, "http", "middlewares", "embedseal-ask", "headers", "customRequestHeaders")
	if sets["Explo-Authorization"] != `Token {{ env "EMBEDSEAL_TOKEN" }}` {
		t.Errorf("the API token is %q", sets["Explo-Authorization"])
	}
	for _, name := range append(ours(t), "X-Original-URI") {
		if value, set := sets[name]; !set || value != "" {
			t.Errorf("%s of the client is not taken away", name)
		}
	}
	asks := dig[map[string]any](t, tree, "http", "middlewares", "embedseal", "forwardAuth")
	if diff := cmp.Diff(ours(t), sortedTexts(asks["authResponseHeaders"].([]any))); diff != "" {
		t.Errorf("-documented +taken from the answer:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Cookie", "Embed-Token", "Explo-Authorization"}, sortedTexts(asks["authRequestHeaders"].([]any))); diff != "" {
		t.Errorf("what goes along:\n%s", diff)
	}
	if asks["trustForwardHeader"] != false || !strings.HasSuffix(asks["address"].(string), forward) {
		t.Errorf("it asks %v", asks)
	}
	if value := dig[string](t, tree, "http", "middlewares", "embedseal-strip", "headers", "customRequestHeaders", "Explo-Authorization"); value != "" {
		t.Error("the dashboard gets the API token")
	}
}

// Envoy is not run. That its configuration is one at all, .ci/envoy finds out.
func TestEnvoyTakesAwayWhatTheClientSentBeforeItAsks(t *testing.T) {
	manager := dig[map[string]any](t, config(t, "envoy.yaml"), "static_resources", "listeners", "dashboard", "filter_chains", "first", "filters", "first", "typed_config")
	var order []string
	for _, f := range manager["http_filters"].([]any) {
		order = append(order, f.(map[string]any)["name"].(string))
	}
	if diff := cmp.Diff([]string{"envoy.filters.http.header_mutation", "envoy.filters.http.ext_authz", "envoy.filters.http.router"}, order); diff != "" {
		t.Errorf("the order of the filters:\n%s", diff)
	}
	var removed []string
	for _, m := range dig[[]any](t, manager["http_filters"], order[0], "typed_config", "mutations", "request_mutations") {
		removed = append(removed, m.(map[string]any)["remove"].(string))
	}
	slices.Sort(removed)
	want := append(ours(t), "X-Original-URI", "X-Forwarded-Uri")
	slices.Sort(want)
	if diff := cmp.Diff(want, removed); diff != "" {
		t.Errorf("-documented +taken away:\n%s", diff)
	}
	if dig[string](t, manager, "common_http_protocol_options", "headers_with_underscores_action") != "DROP_HEADER" {
		t.Error("names with an underscore pass")
	}
	asks := dig[map[string]any](t, manager["http_filters"], order[1], "typed_config")
	if asks["failure_mode_allow"] != false || dig[string](t, asks, "http_service", "path_prefix")+"/" != forward {
		t.Errorf("it asks %v", asks)
	}
	if !strings.Contains(dig[string](t, asks, "http_service", "authorization_request", "headers_to_add", "first", "value"), "${EMBEDSEAL_TOKEN}") {
		t.Error("the API token stands in the file")
	}
}

// The guide shows, without its comments, the configuration that is run.
func TestTheGuideShowsTheConfigurationOfNginx(t *testing.T) {
	bare := func(text string) string {
		var lines []string
		for line := range strings.SplitSeq(text, "\n") {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.Join(strings.Fields(line), " "); line != "" {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	guide := sectionOf(t, filepath.Join("guides", "protect.md"), "nginx")
	guide = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(guide), "```nginx"), "```")
	if diff := cmp.Diff(bare(proxytest.Configured(t, "nginx.conf")), bare(guide)); diff != "" {
		t.Errorf("-configs/proxy/nginx.conf +docs/guides/protect.md:\n%s", diff)
	}
}

func TestTheCaddyfileIsWrittenAsCaddyWritesIt(t *testing.T) {
	program := proxytest.Needs(t, "caddy")
	file := filepath.Join("..", "..", "configs", "proxy", "Caddyfile")
	written, err := exec.CommandContext(t.Context(), program, "fmt", file).Output()
	if text, readErr := os.ReadFile(file); err != nil || readErr != nil || string(text) != string(written) {
		t.Errorf("caddy fmt would change it: %v, %v", err, readErr)
	}
}
