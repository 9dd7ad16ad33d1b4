package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// server asks the server that is running, if there is one, what it says of
// itself: on its administration socket, and on its operations listener.
func (x *examiner) server(ctx context.Context) {
	x.socket(ctx)
	x.readiness(ctx)
}

// askLimit is how long a running server has to answer.
const askLimit = 5 * time.Second

// socketPath is where the administration socket is; empty where there is none.
func (x *examiner) socketPath() string {
	return adminConfig(x.cfg, "").Socket
}

func (x *examiner) socket(ctx context.Context) {
	const check = "administration socket"
	path := x.socketPath()
	if path == "" {
		return
	}
	if _, err := os.Lstat(path); err != nil {
		if x.held {
			x.advise(check, "restart the server, or look whether its admin.socket is another", "a server has the store, and there is no %s: it cannot be administered from here", path)
		}
		return
	}
	x.closed("administration socket", path)
	var pid int32
	client := &http.Client{Timeout: askLimit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
			if err == nil {
				pid = peerOf(conn)
			}
			return conn, err //nolint:wrapcheck // to be told by its errno
		},
	}}
	status, body, err := fetch(ctx, client, "http://embedseal/admin/v1/status")
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		if x.held {
			x.fault(check, "restart the server", "%s is there, a process holds the store, and nobody listens", path)
			return
		}
		x.ok(check, "%s is left by a server that ended; the next start removes it", path)
		return
	case err != nil:
		x.fault(check, "run as the user of the server; if it hangs, restart it", "%s does not answer: %v", path, err)
		return
	case status != http.StatusOK:
		x.fault(check, "look at the log of the server", "%s answers %d", path, status)
		return
	}
	x.asked = true
	var said struct {
		Version string `json:"version"`
		Groups  int    `json:"groups"`
		Audit   struct {
			OK *bool `json:"ok"`
		} `json:"audit"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		x.fault(check, "another program listens there: stop it", "%s does not answer as a server does", path)
		return
	}
	text := fmt.Sprintf("%s answers: version %s, groups: %d", path, said.Version, said.Groups)
	if pid > 0 {
		text += fmt.Sprintf(", process %d", pid)
	}
	if said.Audit.OK != nil && !*said.Audit.OK {
		x.fault(check, "look at its log and at the disk of the audit log", "%s; it cannot write its audit log", text)
		return
	}
	x.ok(check, "%s", text)
}

// peerOf is the process at the other end of a unix socket; 0 where the kernel
// does not tell.
func peerOf(conn net.Conn) (pid int32) {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if peer, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = peer.Pid
		}
	})
	return pid
}

// readiness asks the operations listener, where one is configured.
func (x *examiner) readiness(ctx context.Context) {
	const check = "readiness"
	address := x.cfg.Ops.Listen
	if address == "" {
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return // any port: nobody knows which
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/readyz"
	status, body, err := fetch(ctx, &http.Client{Timeout: askLimit}, url)
	if errors.Is(err, syscall.ECONNREFUSED) {
		if x.held || x.asked {
			x.fault(check, "look at ops.listen of the server that runs", "a server runs, and nobody listens on %s", address)
			return
		}
		x.ok(check, "no server runs on %s", address)
		return
	}
	if err != nil {
		x.fault(check, "look at the log of the server", "%s does not answer: %v", url, err)
		return
	}
	var said struct {
		Status     string `json:"status"`
		Components []struct {
			Name, Status, Code, Detail string
		} `json:"components"`
	}
	if json.Unmarshal(body, &said) != nil || said.Status == "" {
		x.fault(check, "another program listens there: stop it, or choose another ops.listen", "%s does not answer as a server does (%d)", url, status)
		return
	}
	var away []string
	for _, c := range said.Components {
		if c.Code != "" {
			away = append(away, fmt.Sprintf("%s: %s (%s)", c.Name, c.Detail, c.Code))
		}
	}
	if len(away) > 0 {
		x.fault(check, "docs/operations/monitoring.md says what to do for each", "%s: %s; %s", url, said.Status, strings.Join(away, "; "))
		return
	}
	x.ok(check, "%s: %s", url, said.Status)
}

func fetch(ctx context.Context, client *http.Client, url string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // it names the address
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return response.StatusCode, body, nil
}
