package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"embedseal/configs"
)

const notFound = `{"type":"urn:embedseal:problem:not_found","title":"Not found","status":404,"detail":"there is nothing at this path","code":"not_found","success":0,"error_msg":"there is nothing at this path","request_id":"mzxw6ytboi4dqnbr"}`

func TestARefusalOfTheAPIIsShownWithItsFieldsAndItsRequest(t *testing.T) {
	t.Parallel()
	const invalid = `{"status":400,"code":"invalid_request","detail":"one or more fields are wrong; see errors","request_id":"mzxw6ytboi4dqnbr",` +
		`"errors":[{"field":"rotate_every","code":"malformed","detail":"is no duration"},{"field":"policy.embeds","code":"too_long","detail":"\u001b[31mred"}]}`
	f := newFakeAdmin(t, func(w http.ResponseWriter, _ *http.Request) { sayProblem(w, http.StatusBadRequest, invalid) })
	o := f.run(t, "group", "create", "acme").want(t, exitRefused, "the server refused: 400 invalid_request: one or more fields are wrong; see errors\n",
		"\n  rotate_every: is no duration (malformed)\n", "\n  policy.embeds: \"\\x1b[31mred\" (too_long)\n", "\n  request id mzxw6ytboi4dqnbr\n")
	if o.stdout != "" {
		t.Errorf("standard output %q", o.stdout)
	}
	o = f.run(t, "group", "create", "acme", "--output", "json").want(t, exitRefused)
	if o.stdout != invalid+"\n" || o.stderr != "" {
		t.Errorf("as JSON: %+v", o)
	}
}

func TestTheClientSaysWhyTheServerCannotBeAsked(t *testing.T) {
	t.Parallel()
	stale := shortDir(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(stale, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = listener.Close()
	plain := shortDir(t)
	write(t, filepath.Join(plain, "admin.sock"), "x")
	none := filepath.Join(shortDir(t), "none")
	stranger := newFakeAdmin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>welcome</html>") })
	empty := newFakeAdmin(t, func(http.ResponseWriter, *http.Request) {})
	foreign := newFakeAdmin(t, func(w http.ResponseWriter, _ *http.Request) { sayProblem(w, http.StatusNotFound, `{"error":"x"}`) })
	moved := newFakeAdmin(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	})
	garbled := newFakeAdmin(t, always(http.StatusOK, `{"version":7}`))
	long := strings.Repeat("x", 120)
	for name, test := range map[string]struct {
		args []string
		says []string
	}{
		"nobody there":          {[]string{"--data-dir", none}, []string{filepath.Join(none, "admin.sock"), "(data directory " + none + ")", "is the server running? embedseal serve --data-dir " + none}},
		"a socket left behind":  {[]string{"--data-dir", stale}, []string{"no server listens on " + filepath.Join(stale, "admin.sock"), "is the server running?"}},
		"a file":                {[]string{"--data-dir", plain}, []string{"no server listens on " + filepath.Join(plain, "admin.sock")}},
		"a web page":            {[]string{"--data-dir", stranger.dir}, []string{"not as an embedseal server does; check --admin-socket", stranger.socket}},
		"nothing said":          {[]string{"--data-dir", empty.dir}, []string{"not as an embedseal server does"}},
		"another one's problem": {[]string{"--data-dir", foreign.dir}, []string{"answers 404 Not Found, and not as an embedseal server does"}},
		"moved":                 {[]string{"--data-dir", moved.dir}, []string{"redirect"}},
		"another shape":         {[]string{"--data-dir", garbled.dir}, []string{"read the answer"}},
		"a long path":           {[]string{"--data-dir", "/tmp/" + long}, []string{"/tmp/" + long + "/admin.sock is too long for a socket: name another with --admin-socket"}},
		"no socket":             {[]string{"--admin-socket", "-"}, []string{"admin.socket is -", "--admin-server URL"}},
		"no token":              {[]string{"--admin-server", "http://127.0.0.1:1"}, []string{"--operator-token-file", "EMBEDSEAL_OPERATOR_TOKEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, append([]string{"status"}, test.args...)...).want(t, exitFailure, test.says...)
			o.oneLine(t)
		})
	}
	token := write(t, filepath.Join(t.TempDir(), "token"), strings.Repeat("o", 32)+"\n")
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "status", "--admin-server", "http://127.0.0.1:"+freePort(t), "--operator-token-file", token).
		want(t, exitFailure, "is the server running, with admin.listen? (--admin-server URL)").oneLine(t)
}

func TestASocketOfAnotherUserNamesItsOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user to be refused")
	}
	f := newFakeAdmin(t, always(http.StatusOK, "{}"))
	bin := filepath.Join(shortDir(t), "embedseal")
	write(t, bin, contents(t, binary(t)))
	for path, mode := range map[string]os.FileMode{bin: 0o755, filepath.Dir(bin): 0o755, f.socket: 0o600, f.dir: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for mode, path := range map[os.FileMode]string{0o755: f.socket, 0o700: f.dir} {
		if err := os.Chmod(f.dir, mode); err != nil {
			t.Fatal(err)
		}
		p := startAs(t, 65534, bin, "status", "--data-dir", f.dir)
		p.wait(t).want(t, exitFailure, "this user may not use the socket "+f.socket, ": "+path+" belongs to the user root; run the command as that user (sudo -u '#0'), or as root").oneLine(t)
	}
}

// startAs starts a program as another user.
func startAs(t *testing.T, uid uint32, command ...string) *process {
	t.Helper()
	p := startWith(t, "/", nil, &syscall.Credential{Uid: uid, Gid: uid}, command...)
	return p
}

func TestOverTCPTheTokenIsPresentedAndAFlagGoesBeforeTheEnvironment(t *testing.T) {
	t.Parallel()
	f := &fakeAdmin{answer: always(http.StatusOK, examples(t)["Status"])}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	secret := strings.Repeat("o", 32)
	token := write(t, filepath.Join(t.TempDir(), "token"), secret+"\n")
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"EMBEDSEAL_ADMIN_SERVER=" + server.URL, "EMBEDSEAL_OPERATOR_TOKEN=" + secret}
	for name, ask := range map[string]func() outcome{
		"flags": func() outcome {
			return run(t, "status", "--admin-server", server.URL+"/", "--operator-token-file", token)
		},
		"environment": func() outcome { return world{environ: environ}.run(t, "status") },
	} {
		o := ask().want(t, exitOK)
		asked := f.questions()
		if len(asked) == 0 || asked[0].bearer != secret || asked[0].line != "GET /admin/v1/status" {
			t.Errorf("%s: asked %+v", name, asked)
		}
		if !strings.Contains(o.stdout, server.URL) || strings.Contains(o.stdout, "Data directory") || strings.Contains(o.stdout+o.stderr, secret) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	local := newFakeAdmin(t, always(http.StatusOK, examples(t)["Status"]))
	world{environ: environ}.run(t, "status", "--admin-socket", local.socket).want(t, exitOK)
	if asked := local.questions(); len(asked) != 1 || asked[0].bearer != "" {
		t.Errorf("the socket was asked %+v", asked)
	}
	if asked := f.questions(); len(asked) != 0 {
		t.Errorf("the listener was asked %+v", asked)
	}
}

// breaking is a server that ends the first connections before it answers, after
// some of an answer was sent.
func breaking(t *testing.T, times int, sent, then string) (dir string, keys func() []string) {
	t.Helper()
	dir = shortDir(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, _ = io.Copy(io.Discard, request.Body)
				seen = append(seen, request.Method+" "+request.Header.Get("Idempotency-Key"))
				text := sent
				if n >= times {
					text = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nIdempotency-Replayed: true\r\nContent-Length: %d\r\n\r\n%s", len(then), then)
				}
				_, _ = io.WriteString(conn, text)
			}
			_ = conn.Close()
		}
	}()
	return dir, func() []string {
		_ = listener.Close()
		<-ended
		return seen
	}
}

func TestACreationWhoseAnswerWasLostIsAskedForOnceMore(t *testing.T) {
	t.Parallel()
	documented := examples(t)
	for name, sent := range map[string]string{"nothing": "", "half a header": "HTTP/1.1 201 Cre", "half a body": "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "secret")
			dir, keys := breaking(t, 1, sent, documented["TokenReplayed"])
			run(t, "token", "create", "--name", "n", "--scopes", "mint", "--data-dir", dir, "--secret-out", out).
				want(t, exitOK, "it was made by an earlier try", "embedseal token refresh "+tokenID+" --group default")
			seen := keys()
			if len(seen) != 2 || seen[0] != seen[1] || len(seen[0]) < 30 {
				t.Errorf("asked with %q", seen)
			}
			if exists(out) {
				t.Error("a file without a secret is left")
			}
			dir, keys = breaking(t, 1, sent, documented["KeyReplayed"])
			run(t, "key", "create", "--data-dir", dir).want(t, exitOK, "embedseal key reveal "+exampleID+" --group default")
			keys()
			dir, keys = breaking(t, 1, sent, documented["Status"])
			run(t, "status", "--data-dir", dir).want(t, exitOK)
			if seen := keys(); !slices.Equal(seen, []string{"GET ", "GET "}) {
				t.Errorf("asked with %q", seen)
			}
			dir, keys = breaking(t, 9, sent, "")
			o := run(t, "key", "rotate", "--data-dir", dir).want(t, exitFailure, "the connection broke before there was an answer; whether it was done is not known")
			o.oneLine(t)
			if seen := keys(); len(seen) != 2 || !strings.Contains(o.stderr, "--idempotency-key "+strings.TrimPrefix(seen[0], "POST ")+" does it once") {
				t.Errorf("asked with %q, and says %s", seen, o.stderr)
			}
		})
	}
}

func TestAnAnswerThatDoesNotComeIsNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a, err := newAdmin(configs.Config{DataDir: f.dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		call adminCall
		says string
	}{
		{adminCall{method: http.MethodPost, replay: "my own"}, "--idempotency-key 'my own' does it once"},
		{adminCall{method: http.MethodPost}, "whether it was done is not known: look before you ask again"},
		{adminCall{method: http.MethodGet}, "there is no answer in time (50ms)"},
	} {
		test.call.path, test.call.patience = "/groups", 50*time.Millisecond
		if _, err := a.do(t.Context(), test.call); !errors.Is(err, errLate) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.call.method, err)
		}
	}
	if asked := f.questions(); len(asked) != 3 {
		t.Errorf("asked %+v", asked)
	}
}

func TestAChangeWhoseAnswerWasLostIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"key", "retire", "k"}, {"key", "destroy", "k", "--yes"}, {"group", "delete", "g", "--yes"}, {"token", "revoke", "t", "--yes"},
		{"group", "update", "g", "--name", "x"}, {"key", "reveal", "k", "--yes"},
	} {
		dir, keys := breaking(t, 9, "", "")
		run(t, append(args, "--data-dir", dir)...).want(t, exitFailure, "whether it was done is not known").oneLine(t)
		if seen := keys(); len(seen) != 1 {
			t.Errorf("%v: asked with %q", args, seen)
		}
	}
}

func TestTheKeyOfACreationCanBeGiven(t *testing.T) {
	t.Parallel()
	documented := examples(t)
	for example, args := range map[string][]string{
		"GroupMade": {"group", "create", "g"}, "KeyMade": {"key", "create"}, "Rotated": {"key", "rotate"},
		"TokenMade": {"token", "create", "--name", "n", "--scopes", "mint"}, "TokenRefreshed": {"token", "refresh", "t"},
	} {
		f := newFakeAdmin(t, always(http.StatusOK, documented[example]))
		f.run(t, append(args, "--idempotency-key", "my own")...).want(t, exitOK)
		f.run(t, args...).want(t, exitOK)
		f.run(t, args...).want(t, exitOK)
		asked := f.questions()
		if len(asked) != 3 || asked[0].replay != "my own" || asked[1].replay == asked[2].replay {
			t.Errorf("%v: asked %+v", args, asked)
		}
	}
}
