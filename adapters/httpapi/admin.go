package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// AdminConfig is the administration listeners. The zero value listens nowhere.
type AdminConfig struct {
	// Socket is the path of the unix socket; empty means that there is none. Whoever
	// may connect to it may do everything.
	Socket string
	// Listen is a TCP address on loopback, host:port; empty means that there is none.
	Listen string
	// OperatorToken is what an operator presents over TCP. The zero value lets nobody
	// in: only API tokens are taken then.
	OperatorToken OperatorToken
	// OperatorReveal lets the operator token see the values of embed secrets.
	OperatorReveal bool
	// ShutdownTimeout is how long requests under way may take to finish.
	ShutdownTimeout time.Duration
	// Rate bounds the API tokens, and the addresses that fail to authenticate.
	Rate RateConfig

	// Version, Store and Custody are what /admin/v1/status says of the process.
	Version, Store, Custody string
	// Page is what GET answers beside the API, by path, to whoever may connect and to
	// browsers, too: see package apipage. Nothing of it is secret.
	Page map[string]http.Handler
}

// OperatorToken is an operator token as it is kept: its digest.
type OperatorToken [sha256.Size]byte

// NewOperatorToken is the digest of text, and zero for none.
func NewOperatorToken(text secret.Text) OperatorToken {
	if text.IsZero() {
		return OperatorToken{}
	}
	return sha256.Sum256([]byte(text.Reveal()))
}

// is compares in constant time.
func (t OperatorToken) is(text string) bool {
	presented := sha256.Sum256([]byte(text))
	return t != OperatorToken{} && subtle.ConstantTimeCompare(t[:], presented[:]) == 1
}

// Admin is the administration listeners: for those who govern groups, keys and
// API tokens. Neither is the public one.
type Admin struct {
	front
	cfg       AdminConfig
	use       Governance
	started   time.Time
	http      *http.Server
	listeners []net.Listener
	// where is what they listen on, and beside what others do.
	where, beside []Listening
}

// Governance is what there is to administer with.
type Governance struct {
	Groups    *app.Groups
	Keys      *app.Keys
	Tokens    *app.Tokens
	Revoker   *app.Revoker
	Auditing  *app.Auditing
	Overviews *app.Overviews
}

// NewAdmin builds the listeners; [Admin.Listen] and [Admin.Serve] start them.
func NewAdmin(cfg AdminConfig, use Governance, auth *app.Authenticator, refusals *app.Refusals,
	clock ports.Clock, random ports.Random, meter ports.Meter, log *slog.Logger) *Admin {
	a := &Admin{
		front: newFront(cfg.Rate, auth, refusals, clock, random, meter, log),
		cfg:   cfg, use: use, started: clock.Now().UTC().Truncate(time.Second),
	}
	a.http = &http.Server{
		Handler: a.handler(), DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context { return withPeer(ctx, peerOf(conn)) },
	}
	return a
}

// Handler is the whole surface, for tests that want no socket. A request that did
// not come over a socket has to present a token.
func (a *Admin) Handler() http.Handler { return a.http.Handler }

// Listen takes the socket and the address, and returns where it listens. The
// error wraps [ErrAddressInUse] for one that is taken; then neither is kept.
func (a *Admin) Listen(ctx context.Context) (where []Listening, err error) {
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if a.cfg.Socket != "" {
		l, err := listenSocket(ctx, a.cfg.Socket)
		if err != nil {
			return nil, err
		}
		a.listeners = append(a.listeners, l)
		a.where = append(a.where, Listening{NameSocket, a.cfg.Socket})
	}
	if a.cfg.Listen != "" {
		l, err := listen(ctx, a.cfg.Listen, " for administration", "--admin-listen")
		if err != nil {
			return nil, err
		}
		a.listeners = append(a.listeners, l)
		a.where = append(a.where, Listening{NameAdmin, l.Addr().String()})
	}
	return a.where, nil
}

// Close lets go of what Listen took, and removes the socket. Whoever comes to
// serve need not call it, and may.
func (a *Admin) Close() {
	for _, l := range a.listeners {
		_ = l.Close()
	}
	a.listeners, a.where = nil, nil
}

// Serve answers until ctx is done, and lets the requests under way finish. Where
// nothing is listened on it waits for that only.
func (a *Admin) Serve(ctx context.Context) error {
	if len(a.listeners) == 0 {
		<-ctx.Done()
		return nil
	}
	return serveUntil(ctx, a.http, a.cfg.ShutdownTimeout, a.listeners...)
}

// route is one operation of the administration API.
type route struct {
	method, path string
	// action is what a refusal is recorded as.
	action audit.Action
	// need is the right that it takes, in the group of the path or, where that names
	// none, everywhere. Zero leaves the question to the use-case.
	need app.Right
	do   func(*exchange) (reply, error)
	// query are the parameters that it knows.
	query []string
}

// handler is all routes, in the order of what happens to a request.
func (a *Admin) handler() http.Handler {
	engine := newEngine(a.identify, a.measure, a.recover)
	// What is escaped stays so: no id has a character that needs it, so that a name
	// which hides one is a name that is not there.
	engine.UseRawPath, engine.UnescapePathValues = true, false
	_ = engine.SetTrustedProxies(nil) // nil is always right
	for _, r := range a.routes() {
		path := strings.NewReplacer("{", ":", "}", "").Replace(r.path)
		engine.Handle(r.method, path, func(c *gin.Context) { a.answer(c, r) })
	}
	for path, page := range a.cfg.Page {
		engine.GET(path, gin.WrapH(page))
	}
	return engine
}

// routes is the API. docs/api/openapi.yaml describes it.
func (a *Admin) routes() []route {
	const (
		get, post, put   = http.MethodGet, http.MethodPost, http.MethodPut
		patch, remove    = http.MethodPatch, http.MethodDelete
		one              = groupsPath + "/{group}"
		keys, tokens     = one + "/keys", one + "/tokens"
		oneKey, oneToken = keys + "/{key}", tokens + "/{token}"
	)
	k := a.use.Keys
	return []route{
		{get, "/admin/v1/status", audit.ActionRead, app.ToRead, a.status, nil},

		{get, groupsPath, audit.ActionRead, 0, a.listGroups, []string{paramLimit, paramAfter}},
		{post, groupsPath, audit.ActionCreateGroup, app.ToWrite, a.createGroup, nil},
		{get, one, audit.ActionRead, app.ToRead, a.showGroup, nil},
		{patch, one, audit.ActionUpdateGroup, app.ToWrite, a.updateGroup, nil},
		{remove, one, audit.ActionDeleteGroup, app.ToWrite, a.deleteGroup, []string{paramForce}},
		{get, one + "/policy", audit.ActionRead, app.ToRead, a.showPolicy, nil},
		{put, one + "/policy", audit.ActionUpdatePolicy, app.ToWrite, a.replacePolicy, nil},
		{patch, one + "/policy", audit.ActionUpdatePolicy, app.ToWrite, a.updatePolicy, nil},

		{get, keys, audit.ActionRead, app.ToRead, a.listKeys, []string{paramLimit, paramAfter}},
		{post, keys, audit.ActionCreateKey, app.ToWrite, a.createKey, nil},
		{post, one + "/rotate", audit.ActionRotateKey, app.ToWrite, a.rotate, nil},
		{get, oneKey, audit.ActionRead, app.ToRead, a.showKey, nil},
		{patch, oneKey, audit.ActionUpdateKey, app.ToWrite, a.updateKey, nil},
		{remove, oneKey, audit.ActionDestroyKey, app.ToWrite, a.destroyKey, []string{paramForce}},
		{post, oneKey + "/default", audit.ActionDefaultKey, app.ToWrite, a.step(k.SetDefault), nil},
		{post, oneKey + "/retire", audit.ActionRetireKey, app.ToWrite, a.step(k.Retire), nil},
		{post, oneKey + "/disable", audit.ActionDisableKey, app.ToWrite, a.step(k.Disable), nil},
		{post, oneKey + "/enable", audit.ActionEnableKey, app.ToWrite, a.step(k.Enable), nil},
		{post, oneKey + "/reveal", audit.ActionRevealKey, app.ToReveal, a.revealKey, nil},
		{get, oneKey + "/jwk", audit.ActionExportKey, app.ToReveal, a.exportKey, nil},

		{get, tokens, audit.ActionRead, app.ToRead, a.listTokens, []string{paramLimit, paramAfter}},
		{post, tokens, audit.ActionCreateToken, app.ToWrite, a.createToken, nil},
		{get, oneToken, audit.ActionRead, app.ToRead, a.showToken, nil},
		{patch, oneToken, audit.ActionUpdateToken, app.ToWrite, a.updateToken, nil},
		{remove, oneToken, audit.ActionRevokeToken, app.ToWrite, a.revokeToken, nil},
		{post, oneToken + "/refresh", audit.ActionRefreshToken, app.ToWrite, a.refreshToken, nil},

		{get, one + "/revocations", audit.ActionRead, app.ToRead, a.listRevocations, []string{paramLimit, paramAfter}},
		{post, one + "/revocations", audit.ActionRevoke, app.ToWrite, a.revoke, nil},

		{get, "/admin/v1/audit/records", audit.ActionRead, 0, a.searchAudit, searchParameters()},
		{post, "/admin/v1/audit/verify", audit.ActionAuditVerify, app.ToRead, a.verifyAudit, nil},
		{get, "/admin/v1/audit/key", audit.ActionRevealAuditKey, app.ToReveal, a.auditKey, nil},
	}
}

// measure counts the answers, under the template of their route.
func (a *Admin) measure(c *gin.Context) {
	begin := a.clock.Now()
	c.Next()
	a.meter.Administered(template(c.FullPath()), c.Writer.Status(), a.clock.Now().Sub(begin))
}

// template is a path of gin's as OpenAPI writes it.
func template(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, is := strings.CutPrefix(part, ":"); is {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// answer is what happens to a request of every route.
func (a *Admin) answer(c *gin.Context, r route) {
	x := &exchange{Context: c, call: call(c), what: app.Refusal{Action: r.action}}
	out, err := a.attempt(x, r)
	if err == nil {
		err = out.write(c)
	}
	if err == nil {
		return
	}
	if translate(err).kind == kindNotFound && !app.Recorded(err) {
		// What names nothing may be a secret in the wrong place: neither the records nor
		// the log get it.
		x.what.Group, x.what.KeyID, x.what.Target = "", "", ""
		err = &failure{kind: kindNotFound}
	}
	a.refuse(c, x.by, x.what, err)
}

func (a *Admin) attempt(x *exchange, r route) (reply, error) {
	if err := a.identifyActor(x); err != nil {
		x.what.Action = audit.ActionRequest
		return reply{}, err
	}
	x.takePath()
	if err := x.may(r.need); err != nil {
		return reply{}, err
	}
	if err := x.takeQuery(r.query); err != nil {
		return reply{}, err
	}
	out, err := r.do(x)
	return out, ofPath(err)
}
