package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"embedseal/adapters/httpload"
	"embedseal/adapters/httpload/floor"
)

// mintPath is the endpoint, of every side that has one.
const mintPath = "/api/generate_jwt/"

// peer is a server that runs, and what it is asked.
type peer struct {
	name, version string
	address       string
	request       []byte
	cmd           *exec.Cmd
	log           bytes.Buffer
	done          chan struct{}
	dir           string
}

// spawn starts a server and waits until it takes connections.
func spawn(ctx context.Context, name, address string, env []string, wrap func(*exec.Cmd), command ...string) (*peer, error) {
	p := &peer{name: name, address: address, done: make(chan struct{})}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env = append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if wrap != nil {
		wrap(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended:\n%s", name, p.log.String())
		case <-ctx.Done():
			p.stop()
			return nil, ctx.Err()
		default:
		}
		if time.Now().After(deadline) {
			p.stop()
			return nil, fmt.Errorf("%s does not listen on %s", name, address)
		}
	}
}

// stop ends the server, by its own group.
func (p *peer) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGCONT)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// embedseal starts the product as an operator would, everything on: bbolt store,
// audit log in a file, metrics, rate limits (far away, so that they count and
// refuse nothing).
func (b *bench) embedseal(ctx context.Context, env []string, wrap func(*exec.Cmd)) (*peer, error) {
	dir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, b.binary, "init", "--data-dir", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("init: %w\n%s", err, out)
	}
	p, err := b.serve(ctx, dir, env, wrap)
	if err != nil {
		return nil, err
	}
	p.dir = dir
	return p, nil
}

// serve starts it on a store that is there.
func (b *bench) serve(ctx context.Context, dir string, env []string, wrap func(*exec.Cmd)) (*peer, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ops, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "api-token"))
	if err != nil {
		return nil, err
	}
	command := []string{b.binary, "serve", "--data-dir", dir, "--listen", address,
		"--ops-listen", ops, "--rate-token-per-second", "1000000", "--rate-token-burst", "1000000", "--audit-keep", "2"}
	p, err := spawn(ctx, "embedseal", address, env, wrap, command...)
	if err != nil {
		return nil, err
	}
	p.version = output(b.binary, "version")
	p.request = httpload.Post(address, mintPath, floor.Body, "Explo-Authorization", "Token "+strings.TrimSpace(string(text)))
	return p, nil
}

// own starts this program as one of its own peers.
func (b *bench) own(ctx context.Context, name string) (*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := spawn(ctx, name, address, nil, nil, self, "-serve", name, address)
	if err != nil {
		return nil, err
	}
	p.version = output("go", "version")
	p.request = httpload.Post(address, mintPath, floor.Body, "Explo-Authorization", "Token of-the-same-length-as-that-of-embedseal-is-about-so-long")
	return p, nil
}

func servePeer(name, address string) error {
	var handler http.Handler
	var err error
	switch name {
	case "floor":
		handler, err = floor.Handler()
	case "empty":
		handler = floor.Empty()
	default:
		err = fmt.Errorf("there is no peer %q", name)
	}
	if err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

func (b *bench) express(ctx context.Context) (*peer, error) {
	const dir = ".ci/benchpeers/express"
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("there is no node")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "express")); err != nil {
		return nil, errors.New("express is not installed: make peers")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := spawn(ctx, "express", address, []string{"NODE_ENV=production"}, nil, node, filepath.Join(dir, "server.js"), port)
	if err != nil {
		return nil, err
	}
	p.version = "node " + output(node, "--version") + ", express " + npmVersion(dir, "express") + ", jose " + npmVersion(dir, "jose")
	p.request = httpload.Post(address, mintPath, floor.Body)
	return p, nil
}

func npmVersion(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "package.json"))
	var about struct{ Version string }
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil {
		return "?"
	}
	return about.Version
}

// vault starts a real server in memory. What it is asked is what sealing a token
// in Transit takes: the claims, and the header as associated data.
func (b *bench) vault(ctx context.Context) (*peer, error) {
	bin := b.vaultBin
	if bin == "" {
		bin = "bin/vault"
	}
	if _, err := exec.LookPath(bin); err != nil {
		return nil, fmt.Errorf("there is no Vault server: make vault, or VAULT_BIN")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	const token = "root"
	p, err := spawn(ctx, "vault", address, []string{"HOME=" + b.dir}, nil, bin, "server", "-dev", "-dev-root-token-id="+token,
		"-dev-listen-address="+address, "-dev-no-store-token", "-log-level=error")
	if err != nil {
		return nil, err
	}
	for _, step := range []struct{ path, body string }{
		{"sys/mounts/transit", `{"type": "transit"}`},
		{"transit/keys/bench", `{"type": "aes256-gcm96"}`},
	} {
		if err := vaultWrite(ctx, address, token, step.path, step.body); err != nil {
			p.stop()
			return nil, err
		}
	}
	claims := fmt.Sprintf(`{"cst":"customer_1","dsh":"abcde","exp":%d,"iat":%d,"iss":"https://your-domain.com/","rbc":["flt","srt"],"des":true}`,
		time.Now().Unix()+3600, time.Now().Unix())
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","kid":"aa111111-1a11-111a-aa11-1aaaa11a1a11"}`))
	encode := base64.StdEncoding.EncodeToString
	body := `{"plaintext":"` + encode([]byte(claims)) + `","associated_data":"` + encode([]byte(header)) + `"}`
	p.version = output(bin, "version")
	p.request = httpload.Post(address, "/v1/transit/encrypt/bench", body, "X-Vault-Token", token)
	return p, nil
}

// vaultWrite writes to a server that has begun to listen, and may not be ready.
func vaultWrite(ctx context.Context, address, token, path, body string) error {
	var last error
	for range 100 {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/"+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("X-Vault-Token", token)
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			said, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode/100 == 2 {
				return nil
			}
			err = fmt.Errorf("vault: %s: %s %s", path, response.Status, said)
		}
		last = err
		time.Sleep(100 * time.Millisecond)
	}
	return last
}

// cpu is the processor time that the server has used.
func (p *peer) cpu() time.Duration {
	fields := p.stat()
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / 100) // clock ticks
}

// stat is /proc/PID/stat from the third field on.
func (p *peer) stat() []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

// resident is its memory in MB (10^6 bytes).
func (p *peer) resident() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / 1e6
}

func output(command ...string) string {
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		return "?"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
