package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchMintsAndSaysHowMany(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	before := strings.Count(contents(t, filepath.Join(dir, "audit.log")), "\n")
	server := []string{"--server", "http://" + s.address, "--data-dir", dir}

	got := decode[benchAnswer](t, run(t, append([]string{"bench", "--requests", "200", "--concurrency", "4", "--output", "json"}, server...)...).want(t, exitOK))
	if got.Granted != 200 || got.Refused+got.Failed+got.NotSent != 0 || got.Concurrency != 4 || got.PerSecond <= 0 || got.Seconds <= 0 {
		t.Errorf("%+v", got)
	}
	if l := got.Latency; l["p50"] <= 0 || l["p50"] > l["p90"] || l["p90"] > l["p99"] || l["p99"] > l["p99_9"] || l["p99_9"] > l["max"] {
		t.Errorf("%v", l)
	}
	// Every one has its record, the first included, which is asked beforehand; so has the default key that it makes.
	if lines := strings.Count(contents(t, filepath.Join(dir, "audit.log")), "\n") - before; lines < 201 || lines > 203 {
		t.Errorf("%d records of 201 mints", lines)
	}

	o := run(t, append([]string{"bench", "--duration", "1200ms", "--rate", "50"}, server...)...).want(t, exitOK, "granted a second")
	for _, words := range []string{"Granted      60, ", "50 requests a second offered", "p99.9 ", "http://" + s.address} {
		if !strings.Contains(o.stdout, words) {
			t.Errorf("it does not say %q:\n%s", words, o.stdout)
		}
	}
	if strings.Contains(o.stderr, "\r") || strings.Contains(o.stderr, "warning") {
		t.Errorf("no terminal, and loopback: %q", o.stderr)
	}
}

func TestBenchTellsRefusalsApart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir, "--rate-token-per-second", "1", "--rate-token-burst", "10")
	o := run(t, "bench", "--requests", "50", "--server", "http://"+s.address, "--data-dir", dir).want(t, exitOK)
	if !strings.Contains(o.stdout, "Granted      9, ") || !strings.Contains(o.stdout, "Refused      41 rate_limited: ") {
		t.Errorf("nine are left of ten after the first:\n%s", o.stdout)
	}
	o = run(t, "bench", "--requests", "50", "--server", "http://"+s.address, "--data-dir", dir).want(t, exitRefused, "429 rate_limited")
	if o.stdout != "" {
		t.Errorf("refused, and all the same:\n%s", o.stdout)
	}
	got := decode[mintAnswer](t, run(t, "bench", "--output", "json", "--requests", "5", "--server", "http://"+s.address, "--data-dir", dir).want(t, exitRefused))
	if got.Code != "rate_limited" {
		t.Errorf("%+v", got)
	}
}

// What refuses everything but the first request.
func TestBenchWithoutATokenIsAFailure(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			_, _ = w.Write([]byte(`{"success": 1, "jwt": "x"}`))
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	token := write(t, filepath.Join(t.TempDir(), "token"), freshToken(t))
	args := []string{"bench", "--requests", "3", "--concurrency", "1", "--server", server.URL + "/", "--api-token-file", token}
	o := run(t, args...).want(t, exitRefused, "no token was granted")
	if !strings.Contains(o.stdout, "Refused      3 418") {
		t.Errorf("%s", o.stdout)
	}
	asked = 0
	o = run(t, append(args, "--output", "json")...).want(t, exitRefused)
	if got := decode[benchAnswer](t, o); got.Codes["418"] != 3 || got.Granted != 0 || o.stderr != "" {
		t.Errorf("%+v, %q", got, o.stderr)
	}
}

func TestBenchIsBounded(t *testing.T) {
	for _, args := range [][]string{
		{"--concurrency", "0"}, {"--concurrency", "5000"}, {"--duration", "0s"}, {"--duration", "2h"}, {"--rate", "-1"}, {"--requests", "-1"},
	} {
		run(t, append([]string{"bench"}, args...)...).want(t, exitUsage, args[0]).oneLine(t)
	}
	token := write(t, filepath.Join(t.TempDir(), "token"), freshToken(t))
	o := run(t, "bench", "--server", "http://bench.invalid", "--api-token-file", token).want(t, exitFailure, "warning: http://bench.invalid is not this machine")
	if o.stdout != "" {
		t.Error(o.stdout)
	}
}

// freshToken has the form of an API token.
func freshToken(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	text, err := os.ReadFile(filepath.Join(dir, "api-token"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
