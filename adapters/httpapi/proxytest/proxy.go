// Package proxytest runs real proxies with the files of configs/proxy, for tests:
// between a client and a dashboard, and asking a running embedseal. It is linked into
// no binary.
package proxytest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Between is what a proxy stands between.
type Between struct {
	// Embedseal and Dashboard are hosts and ports.
	Embedseal, Dashboard string
	// APIToken is what the proxy presents to embedseal.
	APIToken string
	// Change are pairs: what stands in the file, and what is to stand there instead.
	Change []string
	// Said gets what the proxy writes.
	Said *Said
}

// Nginx runs configs/proxy/nginx.conf until the test ends, and returns where it
// listens. Only its bounds on a client are raised: a test is one.
func (b Between) Nginx(t *testing.T) string {
	t.Helper()
	program := Needs(t, "nginx")
	dir, address := t.TempDir(), freeAddress(t)
	user := ""
	if os.Getuid() == 0 { // its workers would be another user's, who cannot enter dir
		user = "user root;\n"
	}
	token := writeFile(t, filepath.Join(dir, "token.conf"), `proxy_set_header Explo-Authorization "Token `+b.APIToken+"\";\n")
	server := writeFile(t, filepath.Join(dir, "dashboard.conf"), Configured(t, "nginx.conf", append(b.Change,
		"127.0.0.1:8080", b.Embedseal, "127.0.0.1:3000", b.Dashboard, "listen 127.0.0.1:8443", "listen "+address,
		"/etc/nginx/embedseal-token.conf", token, "rate=100r/s", "rate=100000r/s", "burst=200", "burst=100000")...))
	main := user + "daemon off;\npid " + dir + "/pid;\nerror_log stderr warn;\nevents {}\nhttp {\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	b.start(t, address, nil, program, "-p", dir, "-e", "stderr", "-c", writeFile(t, filepath.Join(dir, "nginx.conf"), main+"include "+server+";\n}\n"))
	return address
}

// Caddy is [Between.Nginx] for Caddy.
func (b Between) Caddy(t *testing.T) string {
	t.Helper()
	program := Needs(t, "caddy")
	dir, address := t.TempDir(), freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	file := writeFile(t, filepath.Join(dir, "Caddyfile"), Configured(t, "Caddyfile", append(b.Change,
		"{\n\tlog {", "{\n\tadmin off\n\tauto_https off\n\tlog {",
		"127.0.0.1:8080", b.Embedseal, "127.0.0.1:3000", b.Dashboard, ":8443 {", ":"+port+" {")...))
	b.start(t, address, []string{"EMBEDSEAL_TOKEN=" + b.APIToken, "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
		program, "run", "--adapter", "caddyfile", "--config", file)
	return address
}

// Traefik is [Between.Nginx] for Traefik. The dashboard behind it has to be
// one that copies X-Embed-Frame-Ancestors.
func (b Between) Traefik(t *testing.T) string {
	t.Helper()
	program := traefik(t)
	dir, address := t.TempDir(), freeAddress(t)
	file := writeFile(t, filepath.Join(dir, "dynamic.yaml"), Configured(t, "traefik.yaml", append(b.Change,
		"127.0.0.1:8080", b.Embedseal, "127.0.0.1:3000", b.Dashboard)...))
	b.start(t, address, []string{"EMBEDSEAL_TOKEN=" + b.APIToken, "HOME=" + dir}, program,
		"--entryPoints.dashboard.address="+address, "--entryPoints.dashboard.http.aliasHeadersStrategy=delete",
		"--providers.file.filename="+file, "--providers.file.watch=false",
		"--global.checkNewVersion=false", "--global.sendAnonymousUsage=false")
	untilRouted(t, address)
	return address
}

// traefik is the program that .ci/traefik built, or the one of TRAEFIK_BIN. Without
// it the test is skipped, and fails where CI=true.
func traefik(t *testing.T) string {
	t.Helper()
	name := os.Getenv("TRAEFIK_BIN")
	if name == "" {
		name = filepath.Join("..", "..", "bin", "traefik") // a link that .ci/traefik leaves
	}
	if path, err := filepath.EvalSymlinks(name); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this test needs Traefik: make traefik builds it")
	}
	t.Skip("there is no Traefik: make traefik builds it, once (about two minutes), or name one in TRAEFIK_BIN")
	return ""
}

// Needs finds a program of the tests' peers. Without it the test is skipped, and
// fails where CI=true.
func Needs(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err == nil {
			return path
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs %s: .ci/peers installs it", name)
		}
		t.Skipf("%s is not installed: apt-get install %s, or make peers", name, name)
	}
	return path
}

// Configured is a file of configs/proxy with the addresses of this test, each of
// which must be in it.
func Configured(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "proxy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("configs/proxy/%s has no %s", name, replace[i])
		}
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddress is one on loopback that nobody has now. Its port is none of those that
// the kernel gives away by itself, to other tests among others.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(10_000))) //nolint:gosec // a number to try
		if listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			_ = listener.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Said is what a proxy wrote, read meanwhile.
type Said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *Said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p) // which cannot fail
	return len(p), nil
}

func (s *Said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start runs a proxy until the test ends, and waits until it listens.
func (b Between) start(t *testing.T, address string, env []string, name string, args ...string) {
	t.Helper()
	out := b.Said
	if out == nil {
		out = &Said{}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // a proxy of this package
	command.Stdout, command.Stderr, command.Env = out, out, append(os.Environ(), env...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out.String())
		}
	})
	for range 600 {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", name, err, out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen on %s\n%s", name, address, out.String())
}

// untilRouted waits until Traefik has taken up its configuration, which it does after
// it listens: until then it knows no address.
func untilRouted(t *testing.T, address string) {
	t.Helper()
	for range 600 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode != http.StatusNotFound {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("Traefik does not take up its configuration")
}
