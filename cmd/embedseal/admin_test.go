package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"embedseal/adapters/httpapi/apispec"
)

// overSocket asks the administration API on its socket.
func overSocket(t *testing.T, socket, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	return fetched(t, client, "http://embedseal"+path, apispec.Administration)
}

func TestAServerIsAdministeredOnASocketInItsDataDirectory(t *testing.T) {
	t.Parallel()
	for _, store := range []string{storeBbolt, storeFile} {
		dir := filepath.Join(t.TempDir(), "data")
		initialise(t, dir, store)
		s := serve(t, "--data-dir", dir, "--store", store)
		socket := filepath.Join(dir, "admin.sock")
		if info, err := os.Lstat(socket); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%s: %v, %v", store, info, err)
		}
		if status, body := overSocket(t, socket, "/admin/v1/status"); status != http.StatusOK || !strings.Contains(body, `"store":"`+store+`"`) || !strings.Contains(body, socket) {
			t.Errorf("%s: %d %s", store, status, body)
		}
		if text := s.stderr.String(); !strings.Contains(text, "admin_socket="+socket) {
			t.Errorf("the log does not say where: %s", text)
		}
		s.stop(t)
		if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the socket is left: %v", store, err)
		}
	}
}

func TestAKilledServersSocketIsTakenOver(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	p := start(t, nil, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0")
	p.address(t)
	p.signal(t, syscall.SIGKILL)
	<-p.ended
	socket := filepath.Join(dir, "admin.sock")
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("nothing is left to take over: %v", err)
	}
	serve(t, "--data-dir", dir)
	if status, body := overSocket(t, socket, "/admin/v1/status"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

func TestASecondServerDoesNotTakeTheSocketOfTheFirst(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	initialise(t, one, storeBbolt)
	initialise(t, two, storeBbolt)
	serve(t, "--data-dir", one)
	socket := filepath.Join(one, "admin.sock")
	o := execute(t, "serve", "--data-dir", two, "--listen", "127.0.0.1:0", "--admin-socket", socket).want(t, exitAddress)
	if !strings.Contains(o.stderr, "another process answers") {
		t.Errorf("it says %s", o.stderr)
	}
	if status, body := overSocket(t, socket, "/admin/v1/status"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

func TestTheSocketCanBeLeftOutAndAdministrationServedOverTCP(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	const operator = "operator-0123456789-abcdefghijkl"
	file := filepath.Join(t.TempDir(), "operator")
	if err := os.WriteFile(file, []byte(operator+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--data-dir", dir, "--admin-socket", "-", "--admin-listen", "127.0.0.1:0", "--admin-operator-token-file", file)
	if _, err := os.Lstat(filepath.Join(dir, "admin.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a socket: %v", err)
	}
	_, rest, found := strings.Cut(s.stderr.String(), " admin=")
	if !found {
		t.Fatalf("the log does not say where: %s", s.stderr.String())
	}
	address := strings.Fields(rest)[0]
	for token, want := range map[string]int{operator: http.StatusOK, operator + "x": http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/admin/v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conforms(request, "", response, apispec.Administration); err != nil {
			t.Error(err)
		}
		if response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
	}
	if strings.Contains(s.stderr.String(), operator) {
		t.Error("the log has the operator token")
	}
}

func TestADataDirectoryTooDeepForASocketIsServedWithoutOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep", 30), "data")
	made := initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	if text := s.stderr.String(); !strings.Contains(text, "no administration socket") || strings.Contains(text, "admin_socket=") {
		t.Errorf("it says %s", text)
	}
	if a := post(t, s.address, made.APIToken, goodBody); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.text)
	}
	s.stop(t)
	o := execute(t, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-socket", filepath.Join(dir, "admin.sock")).want(t, exitFailure)
	if !strings.Contains(o.stderr, "a socket takes 107") {
		t.Errorf("it says %s", o.stderr)
	}
}
