package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"embedseal/adapters/datadir"
	"embedseal/adapters/httpapi"
	"embedseal/configs"
	"embedseal/domain/secret"
)

const (
	// adminPrefix begins every path of the administration API.
	adminPrefix = "/admin/v1"
	// maxAdminAnswer is the largest answer that is read, in bytes: a page of groups
	// with as many and as long globs as they may have.
	maxAdminAnswer = 64 << 20
	// adminPatience is how long an answer may take.
	adminPatience = time.Minute
	// noSocket is the value of admin.socket that means none.
	noSocket = "-"
)

// admin asks the administration API of one server.
type admin struct {
	// socket is the path of the server's socket; empty over TCP.
	socket string
	// where names the server to people.
	where string
	// base is what stands before the paths.
	base    string
	dataDir string
	bearer  secret.Text
	// bearerFrom is where that is from, for people.
	bearerFrom string
	http       *http.Client
}

// adminCall is one request.
type adminCall struct {
	method, path string
	query        url.Values
	// body is written as JSON; nil is none.
	body any
	// match is the tag that the thing must still have; empty is any.
	match string
	// replay makes a second try safe: the server answers what it answered, and makes
	// nothing again.
	replay string
	// patience is how long the answer may take; 0 is [adminPatience].
	patience time.Duration
}

// reply is an answer that says yes.
type reply struct {
	body json.RawMessage
	tag  string
	// replayed says that an earlier try was answered already, and that this answer
	// is without what is shown once.
	replayed bool
}

// problem is an answer that says no.
type problem struct {
	Status    int           `json:"status"`
	Code      string        `json:"code"`
	Detail    string        `json:"detail"`
	RequestID string        `json:"request_id"`
	Errors    []answerFault `json:"errors"`
	// body is the answer as it came.
	body []byte
	// elsewhere says that what was asked for is on every administration listener.
	elsewhere bool
	// presented is where the token is from that was presented; empty for none.
	presented string
}

// Error is for people: what stands in it may have been sent by anybody.
func (e *problem) Error() string {
	detail := e.Detail
	if e.Code == "not_found" { // the server speaks of paths, and people name ids
		detail = "there is no such group, or nothing with that id in it"
		if e.elsewhere {
			detail = "this is not the administration listener; check --admin-server"
		}
	}
	if e.Code == "unauthenticated" && e.presented != "" { // and of headers
		detail = "the token " + e.presented + " is not good there: it is neither the operator token nor an API token that may be used from this address"
	}
	detail = strings.ReplaceAll(detail, "force=true", "--force") // and of parameters
	text := fmt.Sprintf("the server refused: %d %s: %s", e.Status, shown(e.Code), shown(detail))
	for _, f := range e.Errors {
		text += fmt.Sprintf("\n  %s: %s (%s)", shown(f.Field), shown(f.Detail), shown(f.Code))
	}
	if e.RequestID != "" {
		text += "\n  request id " + shown(e.RequestID)
	}
	return text
}

// What is not known after these is whether something was done.
var (
	errBroken = errors.New("the connection broke before there was an answer")
	errLate   = errors.New("there is no answer in time")
)

// newAdmin knows where the server is. Nothing is asked yet.
func newAdmin(cfg configs.Config) (admin, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	a := admin{dataDir: cfg.DataDir, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the server answers with a redirect; --admin-server must name it directly")
	}}}
	if cfg.Client.AdminServer != "" {
		a.base, a.where, a.bearer = cfg.Client.AdminServer, cfg.Client.AdminServer, cfg.Client.OperatorToken
		if a.bearer.IsZero() {
			return admin{}, errors.New("no token for the administration listener: name the file of the operator token, or of an API token, with --operator-token-file, or set EMBEDSEAL_OPERATOR_TOKEN")
		}
		a.bearerFrom = "of the setting operator_token"
		if cfg.Client.OperatorTokenFile != "" {
			a.bearerFrom = "in " + cfg.Client.OperatorTokenFile
		}
		return a, nil
	}
	a.socket = socketAt(cfg)
	if a.socket == noSocket {
		return admin{}, errors.New("admin.socket is -, so that there is no socket to ask; name the administration listener with --admin-server URL")
	}
	if !httpapi.FitsSocket(a.socket) {
		return admin{}, fmt.Errorf("the path %s is too long for a socket: name another with --admin-socket, as for the server", a.socket)
	}
	a.base, a.where = "http://embedseal", "the server on "+a.socket
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", a.socket)
	}
	return a, nil
}

// socketAt is the configured socket, or the one in the data directory.
func socketAt(cfg configs.Config) string {
	if cfg.Admin.Socket != "" {
		return cfg.Admin.Socket
	}
	return datadir.At(cfg.DataDir).Path(datadir.AdminSocket)
}

// newReplay is the key of a creation that may be asked for twice.
func newReplay() string { return rand.Text() }

// do asks, and once more when the connection broke and that cannot do anything
// twice. An answer that says no is a [*problem].
func (a admin) do(ctx context.Context, call adminCall) (reply, error) {
	got, err := a.once(ctx, call)
	safe := call.method == http.MethodGet || call.replay != ""
	if safe && errors.Is(err, errBroken) && ctx.Err() == nil {
		got, err = a.once(ctx, call)
	}
	switch {
	case call.method == http.MethodGet || !errors.Is(err, errBroken) && !errors.Is(err, errLate):
		return got, err
	case call.replay != "":
		return got, fmt.Errorf("%w; whether it was done is not known: the same command with --idempotency-key %s does it once", err, shellQuote(call.replay))
	}
	return got, fmt.Errorf("%w; whether it was done is not known: look before you ask again", err)
}

func (a admin) once(ctx context.Context, call adminCall) (reply, error) {
	patience := call.patience
	if patience == 0 {
		patience = adminPatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := a.request(ctx, call)
	if err != nil {
		return reply{}, err
	}
	response, err := a.http.Do(request)
	if err != nil {
		return reply{}, a.unreachable(err, patience)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAdminAnswer+1))
	if err != nil {
		return reply{}, a.unreachable(err, patience)
	}
	if len(data) > maxAdminAnswer {
		return reply{}, fmt.Errorf("the answer of %s has more than %d bytes", a.where, maxAdminAnswer)
	}
	return a.read(response, data)
}

func (a admin) request(ctx context.Context, call adminCall) (*http.Request, error) {
	address := a.base + adminPrefix + call.path
	if len(call.query) > 0 {
		address += "?" + call.query.Encode()
	}
	var body io.Reader
	if call.body != nil {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(call.body); err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = &text
	}
	request, err := http.NewRequestWithContext(ctx, call.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", a.where, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if call.match != "" {
		request.Header.Set("If-Match", call.match)
	}
	if call.replay != "" {
		request.Header.Set("Idempotency-Key", call.replay)
	}
	if !a.bearer.IsZero() {
		request.Header.Set("Authorization", "Bearer "+a.bearer.Reveal())
	}
	return request, nil
}

// read tells yes, no, and the answers of somebody else apart.
func (a admin) read(response *http.Response, data []byte) (reply, error) {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	yes := response.StatusCode >= 200 && response.StatusCode < 300
	switch {
	case yes && response.StatusCode == http.StatusNoContent && len(data) == 0 && response.Header.Get("X-Request-Id") != "",
		yes && (kind == "application/json" || strings.HasSuffix(kind, "+json")) && json.Valid(data):
		return reply{
			body: bytes.TrimSpace(data), tag: response.Header.Get("ETag"),
			replayed: response.Header.Get("Idempotency-Replayed") == "true",
		}, nil
	case !yes && kind == "application/problem+json":
		p := &problem{body: bytes.TrimSpace(data), elsewhere: !strings.Contains(response.Request.URL.Path, "/groups/"), presented: a.bearerFrom}
		if err := json.Unmarshal(data, p); err == nil && p.Code != "" {
			return reply{}, &failed{code: exitRefused, err: p}
		}
	}
	return reply{}, fmt.Errorf("%s answers %s, and not as an embedseal server does; check %s", a.where, response.Status, a.flag())
}

// flag is the flag that says where the server is.
func (a admin) flag() string {
	if a.socket == "" {
		return "--admin-server"
	}
	return "--admin-socket"
}

// unreachable says what keeps the answer away, and what to do about it.
func (a admin) unreachable(err error, patience time.Duration) error {
	var dialed *net.OpError
	dial := errors.As(err, &dialed) && dialed.Op == "dial"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("ask %s: %w (%s)", a.where, errLate, patience)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("ask %s: %w", a.where, context.Canceled)
	case !dial && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		return fmt.Errorf("ask %s: %w", a.where, errBroken)
	case a.socket == "":
		return fmt.Errorf("ask %s: %w; is the server running, with admin.listen? (--admin-server URL)", a.where, err)
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server listens on %s (data directory %s): is the server running? embedseal serve --data-dir %s; or name its socket with --admin-socket, or its listener with --admin-server",
			a.socket, a.dataDir, a.dataDir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not use the socket %s%s", a.socket, ownedBy(a.socket))
	case errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.EPROTOTYPE):
		return fmt.Errorf("%s is not the socket of a server; check --admin-socket", a.socket)
	}
	return fmt.Errorf("ask %s: %w", a.where, err)
}

// ownedBy says whose a path is, or the nearest folder above it that this user may
// look at.
func ownedBy(path string) string {
	for {
		info, err := os.Lstat(path)
		if err == nil {
			owner, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return ""
			}
			id := strconv.FormatUint(uint64(owner.Uid), 10)
			name := "the user with the id " + id
			if u, err := user.LookupId(id); err == nil {
				name = "the user " + u.Username
			}
			return fmt.Sprintf(": %s belongs to %s; run the command as that user (sudo -u '#%s'), or as root", path, name, id)
		}
		parent := filepath.Dir(path)
		if parent == path {
			return ""
		}
		path = parent
	}
}

// at joins the segments of a path. What a segment holds stays within it.
func at(segments ...string) string {
	var path strings.Builder
	for _, s := range segments {
		path.WriteString("/" + url.PathEscape(s))
	}
	return path.String()
}

// addressable refuses what cannot be a segment of a path, and so names nothing.
func addressable(what, id string) error {
	if id == "" || id == "." || id == ".." {
		return usage(fmt.Errorf("%q is not the id of a %s", id, what))
	}
	return nil
}
