package main

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"embedseal/adapters/httpapi/apispec"
)

func TestTheBinaryIsStatic(t *testing.T) {
	t.Parallel()
	f, err := elf.Open(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, part := range f.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("it wants a loader: %v", part.Type)
		}
	}
}

// get is the status and the body at a path of the server.
func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	return fetched(t, http.DefaultClient, "http://"+address+path, apispec.Public, apispec.Operations)
}

func TestAServerIsHealthyUntilASignalEndsItWithZero(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		store  string
		signal syscall.Signal
	}{{storeBbolt, syscall.SIGTERM}, {storeFile, syscall.SIGTERM}, {storeMemory, syscall.SIGTERM}, {storeBbolt, syscall.SIGINT}} {
		t.Run(test.store+" "+test.signal.String(), func(t *testing.T) {
			listen := "127.0.0.1:" + freePort(t)
			args := []string{"serve", "--dev", "--listen", listen}
			if test.store != storeMemory {
				dir := filepath.Join(t.TempDir(), "data")
				initialise(t, dir, test.store)
				args = []string{"serve", "--data-dir", dir, "--store", test.store, "--listen", listen}
			}
			p := start(t, nil, args...)
			if address := p.address(t); address != listen {
				t.Errorf("it listens on %s and not on %s", address, listen)
			}
			if status, body := get(t, listen, "/healthz"); status != http.StatusOK || body != "{\"status\":\"ok\"}\n" {
				t.Errorf("%d %s", status, body)
			}
			p.signal(t, test.signal)
			p.wait(t).want(t, exitOK, "msg=stopped")
		})
	}
}

func TestARequestUnderWayIsAnsweredAfterSIGTERM(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			made := initialise(t, dir, store)
			// On a busy machine this test may be slow, and the server must not count it.
			var slow []string
			for _, name := range []string{"READ", "WRITE", "SHUTDOWN"} {
				slow = append(slow, fmt.Sprintf("EMBEDSEAL_HTTP_%s_TIMEOUT=%s", name, 4*patient))
			}
			p := start(t, slow, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0")
			address := p.address(t)
			idle := converse(t, address)
			idle.say(t, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
			if status, body := idle.hear(t); status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			request := converse(t, address)
			half := len(goodBody) / 2
			request.say(t, fmt.Sprintf("POST /api/generate_jwt/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
				"Authorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", made.APIToken, len(goodBody)))
			if status, body := request.hear(t); status != http.StatusContinue { // it waits for the body
				t.Fatalf("%d %s", status, body)
			}
			request.say(t, goodBody[:half])
			p.signal(t, syscall.SIGTERM)
			// It closes the listener first, and then who asks for nothing. Whether the
			// address still answers says less: another test may have it by now.
			if _, err := idle.in.ReadByte(); !errors.Is(err, io.EOF) {
				t.Fatalf("the idle connection: %v", err)
			}
			request.say(t, goodBody[half:])
			if status, body := request.hear(t); status != http.StatusOK || !strings.Contains(body, `"jwt"`) {
				t.Errorf("%d %s", status, body)
			}
			p.wait(t).want(t, exitOK, "msg=stopped")
			if lines := strings.Count(contents(t, filepath.Join(dir, "audit.log")), `"action":"mint"`); lines != 1 {
				t.Errorf("%d mints are recorded", lines)
			}
		})
	}
}

// conversation is one connection to a server, on which a test says what it likes.
type conversation struct {
	conn net.Conn
	in   *bufio.Reader
}

func converse(t *testing.T, address string) conversation {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patient)); err != nil {
		t.Fatal(err)
	}
	return conversation{conn, bufio.NewReader(conn)}
}

func (c conversation) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		t.Fatal(err)
	}
}

// hear is the status and the body of the next answer.
func (c conversation) hear(t *testing.T) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServeSaysInOneLineWhyItCannot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plain := write(t, filepath.Join(root, "plain"), "x")
	held := map[string]string{}
	var taken string
	for _, store := range lastingStores() {
		held[store] = filepath.Join(root, "held "+store)
		initialise(t, held[store], store)
		taken = start(t, nil, "serve", "--data-dir", held[store], "--store", store, "--listen", "127.0.0.1:0").address(t)
	}
	free := filepath.Join(root, "free")
	initialise(t, free, storeBbolt)
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"a taken port", []string{"--data-dir", free, "--listen", taken}, exitAddress, []string{taken, "--listen"}},
		{"no store", []string{"--data-dir", filepath.Join(root, "none")}, exitStore, []string{"embedseal init --data-dir " + filepath.Join(root, "none") + " --store bbolt"}},
		{"no store of files", []string{"--data-dir", free, "--store", "file"}, exitStore, []string{free + " holds a bbolt store, and none of file; use --store bbolt"}},
		{"a held database", []string{"--data-dir", held[storeBbolt]}, exitStore, []string{filepath.Join(held[storeBbolt], "store.db"), "held by another process", "(process ", ", embedseal)"}},
		{"a held directory", []string{"--data-dir", held[storeFile], "--store", "file"}, exitStore, []string{filepath.Join(held[storeFile], "store"), "held by another process"}},
		{"a file for a directory", []string{"--data-dir", plain}, exitStore, []string{plain}},
		{"a directory below a file", []string{"--data-dir", filepath.Join(plain, "below")}, exitStore, []string{filepath.Join(plain, "below")}},
		{"an audit log that cannot be opened", []string{"--data-dir", free, "--audit-path", filepath.Join(plain, "log")}, exitFailure, []string{filepath.Join(plain, "log"), "audit.path"}},
		{"an address that is not this machine's", []string{"--data-dir", free, "--listen", "192.0.2.1:80"}, exitFailure, []string{"192.0.2.1:80"}},
		{"a store in memory for others", []string{"--dev", "--listen", "0.0.0.0:0"}, exitUsage, []string{"loopback only"}},
		{"a store in memory on every interface", []string{"--store", "memory", "--listen", ":0"}, exitUsage, []string{"loopback only"}},
		{"development with a store", []string{"--dev", "--store", "bbolt"}, exitUsage, []string{"--dev", "--store"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := execute(t, append([]string{"serve"}, test.args...)...).want(t, test.code, test.says...)
			o.oneLine(t)
			if o.stdout != "" {
				t.Errorf("standard output: %s", o.stdout)
			}
		})
	}
	if exists(filepath.Join(root, "none")) || exists(filepath.Join(free, "store")) {
		t.Error("serve made a store")
	}
}

func TestADevelopmentServerShowsItsSecretsAndWarnsLoudly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--dev"}, {"--store", "memory"}, {"--dev", "--output", "json"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := start(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
			address := p.address(t)
			asJSON := args[len(args)-1] == "json"
			lastWords := map[bool]string{true: "}\n", false: "/admin.sock\n"}[asJSON]
			first, rest, _ := strings.Cut(p.printed(t, lastWords), "\n")
			made := decode[initialised](t, outcome{stdout: first})
			if !made.Created || made.Store != storeMemory || made.Group != "default" || made.DataDir != "" || len(made.KeyValue) != 32 {
				t.Errorf("%+v", made)
			}
			if (rest == "") != asJSON || !asJSON && !strings.Contains(rest, " status --admin-socket "+made.AdminSocket+"\n") {
				t.Errorf("after the object: %q", rest)
			}
			run(t, "status", "--admin-socket", made.AdminSocket).want(t, exitOK)
			if !strings.Contains(p.stderr.String(), "WARNING") {
				t.Errorf("no warning in %q", p.stderr.String())
			}
			a := post(t, address, made.APIToken, goodBody)
			if found := inspected(t, a.JWT, made.KeyValue); !found.OK || found.Header.Kid != made.KeyID {
				t.Errorf("%s gives %+v", a.text, found)
			}
			p.terminate(t).want(t, exitOK)
		})
	}
}

func TestServeSaysAsJSONWhereItListens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeFile)
	s := serve(t, "--data-dir", dir, "--store", "file", "--output", "json")
	type announced struct {
		Address string `json:"address"`
		Store   string `json:"store"`
		DataDir string `json:"data_dir"`
		Socket  string `json:"admin_socket"`
	}
	if got, want := decode[announced](t, outcome{stdout: s.stdout.String()}), (announced{s.address, storeFile, dir, filepath.Join(dir, "admin.sock")}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheMetricsOfARunningServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir, "--ops-listen", "127.0.0.1:0")
	for range 3 {
		if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.text)
		}
	}
	if a := post(t, s.address, "nonsense", goodBody); a.status != http.StatusUnauthorized {
		t.Fatalf("%d %s", a.status, a.text)
	}
	_, text := fetched(t, http.DefaultClient, "http://"+s.ops(t)+"/metrics", apispec.Operations)
	for _, line := range []string{
		`embedseal_mint_answers_total{code="granted"} 3`, `embedseal_mint_answers_total{code="unauthenticated"} 1`,
		`embedseal_audit_records_total{outcome="written"} 4`, `embedseal_store_calls_total{method="ring",outcome="ok"} 1`,
		`embedseal_cache_groups 1`, `embedseal_build_info{version="v1.2.3"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %q", line)
		}
	}
	if !strings.Contains(text, `embedseal_default_key_created_timestamp_seconds{group="default"} `) {
		t.Error("the age of the default key is not there")
	}
	for _, secret := range []string{made.APIToken, made.KeyValue, "customer_1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics hold %s", secret)
		}
	}
}
