package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// The files that watch a server.
var (
	alertsFile     = filepath.Join(repository, "configs", "prometheus", "alerts.yaml")
	alertTestsFile = filepath.Join(repository, "configs", "prometheus", "alerts.test.yaml")
	dashboardFile  = filepath.Join(repository, "configs", "grafana", "dashboard.json")
	monitoringFile = filepath.Join(repository, "docs", "operations", "monitoring.md")
)

type alertRule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

// alertRules are the alerts, in their order.
func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alertRule
		}
	}
	done(t, yaml.Unmarshal([]byte(contents(t, alertsFile)), &file))
	var all []alertRule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there is no alert")
	}
	return all
}

type dashboardPanel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct{ RefID, Expr, LegendFormat string }
}

func dashboardPanels(t *testing.T) []dashboardPanel {
	t.Helper()
	var board struct {
		UID, Title    string
		SchemaVersion int
		Panels        []dashboardPanel
	}
	done(t, json.Unmarshal([]byte(contents(t, dashboardFile)), &board))
	if board.UID != "embedseal" || board.Title == "" || board.SchemaVersion == 0 || len(board.Panels) == 0 {
		t.Fatalf("not a dashboard: %+v", board)
	}
	return board.Panels
}

// documentedMetrics are the metrics of docs/metrics.md, which a test of
// adapters/metrics holds to the program, with their labels.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `(embedseal_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(contents(t, filepath.Join(repository, "docs", "metrics.md")), -1) {
		labels := []string{"job", "instance"}
		for _, l := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		if m[2] == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				found[m[1]+suffix] = append([]string{"le"}, labels...)
			}
			continue
		}
		found[m[1]] = labels
	}
	return found
}

// selectors takes the metrics out of an expression, with the labels that each is
// chosen by.
func selectors(expr string) map[string][]string {
	found := map[string][]string{}
	for _, m := range regexp.MustCompile(`\b(embedseal_[a-z_]+)(\{[^}]*\})?`).FindAllStringSubmatch(expr, -1) {
		found[m[1]] = append(found[m[1]], "job")
		for _, l := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`).FindAllStringSubmatch(m[2], -1) {
			found[m[1]] = append(found[m[1]], l[1])
		}
	}
	return found
}

func TestWhatIsWatchedExistsAndWhatExistsIsWatched(t *testing.T) {
	t.Parallel()
	known := documentedMetrics(t)
	shown := map[string]bool{}
	check := func(where, expr string) {
		used := selectors(expr)
		if len(used) == 0 && !strings.Contains(expr, "up{") {
			t.Errorf("%s asks for no metric of this program: %s", where, expr)
		}
		for name, labels := range used {
			for _, label := range labels {
				if !slices.Contains(known[name], label) {
					t.Errorf("%s: %s has no label %s, or there is no such metric", where, name, label)
				}
			}
		}
	}
	for _, r := range alertRules(t) {
		check(r.Alert, r.Expr)
	}
	ids := map[int]bool{}
	for _, p := range dashboardPanels(t) {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 {
			t.Errorf("panel %d %q: its id is taken, or it lies beside the board", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Description == "" {
			t.Errorf("panel %q shows nothing, or does not say what", p.Title)
		}
		for _, target := range p.Targets {
			check("panel "+p.Title, target.Expr)
			for name := range selectors(target.Expr) {
				shown[name] = true
			}
		}
	}
	for name := range known {
		if base, found := strings.CutSuffix(name, "_bucket"); !shown[name] && (found || !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count")) {
			t.Errorf("the dashboard does not show %s", base)
		}
	}
}

func TestEveryAlertIsExplainedAndTested(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Name  string
			Rules []struct {
				Alertname string `yaml:"alertname"`
				Expected  []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	done(t, yaml.Unmarshal([]byte(contents(t, alertTestsFile)), &file))
	quiet, fires := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			quiet[r.Alertname] = quiet[r.Alertname] || len(r.Expected) == 0
			fires[r.Alertname] = fires[r.Alertname] || len(r.Expected) > 0
		}
	}
	explained := contents(t, monitoringFile)
	names := map[string]bool{}
	for _, r := range alertRules(t) {
		names[r.Alert] = true
		if !quiet[r.Alert] || !fires[r.Alert] {
			t.Errorf("%s has no test of when it fires, or of when it is quiet", r.Alert)
		}
		if !strings.Contains(explained, "\n### "+r.Alert+"\n") || r.Annotations["runbook"] != "docs/operations/monitoring.md#"+strings.ToLower(r.Alert) {
			t.Errorf("%s: docs/operations/monitoring.md does not explain it, or it does not lead there", r.Alert)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" || r.Annotations["summary"] == "" {
			t.Errorf("%s has the severity %q and the summary %q", r.Alert, s, r.Annotations["summary"])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(explained, -1) {
		if !names[m[1]] {
			t.Errorf("docs/operations/monitoring.md explains %s, which is no alert", m[1])
		}
	}
}

// tool is the path of a program of Prometheus; without it the test is skipped,
// which is a failure where CI=true.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s: .ci/peers installs it", name)
	}
	return path
}

func TestTheAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", alertsFile},
		{"check", "config", filepath.Join(filepath.Dir(alertsFile), "prometheus.yaml")},
		{"test", "rules", alertTestsFile},
	} {
		out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "SUCCESS") || strings.Contains(string(out), "FAILED") {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
}

// prometheusServer is one that scrapes an operations listener, with the alerts of this
// repository.
func prometheusServer(t *testing.T, ops string) (address string) {
	t.Helper()
	program, dir := tool(t, "prometheus"), t.TempDir()
	rules, err := filepath.Abs(alertsFile)
	done(t, err)
	config := filepath.Join(dir, "prometheus.yaml")
	done(t, os.WriteFile(config, fmt.Appendf(nil, "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: embedseal, static_configs: [{targets: [%q]}]}]\n", rules, ops), 0o600))
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of a test
	done(t, err)
	address = free.Addr().String()
	done(t, free.Close())
	var said lockedBuffer
	server := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	server.Stdout, server.Stderr = &said, &said
	done(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", said.String())
		}
	})
	return address
}

// askPrometheus asks its API, and reports whether it answered.
func askPrometheus(t *testing.T, address, path string, into any) bool {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusServiceUnavailable { // it has just begun
		return false
	}
	var body struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.Status != "success" {
		t.Errorf("%s: %d %s %v", path, response.StatusCode, body.Error, err)
		return true
	}
	done(t, json.Unmarshal(body.Data, into))
	return true
}

func TestAPrometheusServerScrapesAndTakesTheRulesAndEveryPanel(t *testing.T) {
	t.Parallel()
	dir := initialisedDir(t, storeBbolt)
	s := serve(t, "--data-dir", dir, "--ops-listen", "127.0.0.1:0")
	for range 3 {
		if a := post(t, s.address, readToken(t, dir), goodBody); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.text)
		}
	}
	prometheus := prometheusServer(t, s.ops(t))

	type sample struct {
		Metric map[string]string
		Value  [2]any
	}
	var granted struct{ Result []sample }
	query := "/api/v1/query?query=" + url.QueryEscape(`embedseal_mint_answers_total{job="embedseal",code="granted"}`)
	for deadline := time.Now().Add(patient); len(granted.Result) == 0; time.Sleep(100 * time.Millisecond) {
		askPrometheus(t, prometheus, query, &granted)
		if time.Now().After(deadline) {
			t.Fatal("nothing was scraped")
		}
	}
	if got := granted.Result[0].Value[1]; got != "3" {
		t.Errorf("three tokens were minted, and Prometheus knows of %v", got)
	}

	var targets struct {
		Active []struct{ Health, LastError string } `json:"activeTargets"`
	}
	askPrometheus(t, prometheus, "/api/v1/targets", &targets)
	if len(targets.Active) != 1 || targets.Active[0].Health != "up" {
		t.Errorf("the targets: %+v", targets)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, State, LastError string }
		}
	}
	for deadline := time.Now().Add(patient); ; time.Sleep(100 * time.Millisecond) {
		rules.Groups = nil
		askPrometheus(t, prometheus, "/api/v1/rules", &rules)
		if len(rules.Groups) == 1 && !slices.ContainsFunc(rules.Groups[0].Rules, func(r struct{ Name, Health, State, LastError string }) bool { return r.Health == "unknown" }) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the rules were not looked at: %+v", rules)
		}
	}
	if got := rules.Groups[0].Rules; len(got) != len(alertRules(t)) {
		t.Errorf("it has %d rules", len(got))
	}
	for _, r := range rules.Groups[0].Rules {
		if r.Health != "ok" || r.State != "inactive" {
			t.Errorf("%s: %s, %s %s", r.Name, r.Health, r.State, r.LastError)
		}
	}

	variables := strings.NewReplacer("$__rate_interval", "1m", "$job", "embedseal", "$instance", ".*")
	for _, p := range dashboardPanels(t) {
		for _, target := range p.Targets {
			var found struct{ Result []sample }
			askPrometheus(t, prometheus, "/api/v1/query?query="+url.QueryEscape(variables.Replace(target.Expr)), &found)
			if p.Type == "stat" && len(found.Result) == 0 {
				t.Errorf("the panel %s is empty: %s", p.Title, target.Expr)
			}
		}
	}
}
