package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"embedseal/ports"
)

// Backend is a Vault that this service has logged in to, or tries to.
type Backend struct {
	cfg   Config
	nodes []*node
	// current is the node that answered last.
	current atomic.Int64
	session *session
}

// Open checks the configuration, logs in and looks for the KV engine. A Vault
// that cannot be asked within [Config].CallTimeout is no error unless
// RequireAtStart says so: log-in goes on in the background, and until then
// every call answers with ErrUnavailable. One that refuses the log-in, has no KV
// v2 engine at the mount, or lets this service read nothing there, is an error. The returned func ends the
// background work.
func Open(ctx context.Context, cfg Config) (*Backend, func(), error) {
	cfg = cfg.withDefaults()
	b, err := newBackend(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("vault: open: %w", err)
	}
	stop := b.session.start(context.WithoutCancel(ctx))
	first, cancel := context.WithTimeout(ctx, cfg.CallTimeout)
	defer cancel()
	err = b.look(first)
	away := errors.Is(err, ports.ErrUnavailable) && !errors.Is(err, ports.ErrDenied)
	switch {
	case err == nil, away && !cfg.RequireAtStart && ctx.Err() == nil:
		return b, stop, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	stop()
	return nil, nil, fmt.Errorf("vault: open: %w", err)
}

// Validate refuses a configuration that [Open] would refuse without asking
// anybody, files that it names included. The error wraps [ErrConfig].
func Validate(cfg Config) error {
	_, err := newBackend(cfg.withDefaults())
	return err
}

func newBackend(cfg Config) (*Backend, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	addresses, err := parseAddresses(cfg.Addresses, cfg.AllowHTTP)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(cfg.TLS)
	if err != nil {
		return nil, err
	}
	g := &guard{base: transport, origins: map[string]bool{}}
	b := &Backend{cfg: cfg}
	for _, a := range addresses {
		g.origins[a.origin] = true
		client, err := newClient(a, cfg.Namespace, g)
		if err != nil {
			return nil, err
		}
		b.nodes = append(b.nodes, &node{address: a, client: client})
	}
	b.session = newSession(b, transport.CloseIdleConnections)
	return b, nil
}

// newClient makes a client that has nothing from the environment: NewClient
// reads about twenty VAULT_* variables and keeps the token, the namespace and
// the headers among them.
func newClient(a address, namespace string, transport http.RoundTripper) (*vaultapi.Client, error) {
	client, err := vaultapi.NewClient(&vaultapi.Config{
		Address: a.base,
		HttpClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		// No answer is asked for twice behind our back: a write that was applied
		// and is tried again reports a conflict that is none.
		MaxRetries:       0,
		CheckRetry:       func(context.Context, *http.Response, error) (bool, error) { return false, nil },
		DisableRedirects: true,
	})
	if err != nil {
		// It fails on what the environment holds before it looks at its argument.
		return nil, fmt.Errorf("%w: Vault's client library stumbles over the environment: unset %s, which this program does not use", ErrConfig, vaultVariables())
	}
	client.ClearToken()
	client.SetHeaders(http.Header{vaultapi.RequestHeaderName: {"true"}})
	if namespace != "" {
		client.SetNamespace(namespace)
	}
	return client, nil
}

func vaultVariables() string {
	var names []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "VAULT_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// methodList is answered like GET, with the names in a folder.
const methodList = "LIST"

// request is one call of Vault's API.
type request struct {
	method, path string
	body         []byte
}

// reads reports whether asking again does no harm.
func (r request) reads() bool { return r.method == http.MethodGet || r.method == methodList }

// response is an answer of Vault's: 404 only where nothing is there, and
// otherwise a success. The secret is nil where there is no body: Vault says 204
// then, and anything else is not from Vault.
type response struct {
	status int
	*vaultapi.Secret
}

// call asks Vault, as whom this service has logged in: a token that is refused
// is replaced once. path has no "v1/"; body is nil or what JSON can hold. An
// error is a [failure] always, also when ctx is done.
//
// A read goes round the addresses, and is tried twice if there is but one. A
// write goes on to the next address only while it is certain that none has got
// it; whether the last one has, [untouched] says.
func (b *Backend) call(ctx context.Context, method, path string, body any) (response, error) {
	req := request{method: method, path: path}
	if body != nil {
		var err error
		if req.body, err = json.Marshal(body); err != nil {
			return response{}, &failure{kind: ports.ErrUnavailable, where: "a request", text: "cannot be written as JSON", untouched: true}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.CallTimeout)
	defer cancel()
	for again := false; ; again = true {
		c, err := b.session.credential(ctx)
		if err != nil {
			return response{}, err
		}
		resp, f := b.ask(ctx, req, c.token)
		if f == nil {
			return resp, nil
		}
		if !f.badToken || again {
			return response{}, f
		}
		b.session.reject(c)
	}
}

// pause waits for d and a little, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(spread(d))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// spread is between d and five quarters of it, so that replicas that wait for
// the same thing do not come back together.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	return d + rand.N(d/4+1) //nolint:gosec // spreads waiting times; nobody gains by guessing them
}
