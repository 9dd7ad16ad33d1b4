package vault

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"embedseal/domain/secret"
	"embedseal/ports"
)

// logIn gets a token by the configured method. Its error is a [failure], of
// kind ErrDenied when it is this service's credentials that will not do.
func (b *Backend) logIn(ctx context.Context) (lease, error) {
	a := b.cfg.Auth
	body := map[string]string{}
	switch a.Method {
	case MethodToken:
		return b.givenToken(ctx)
	case MethodAgent:
		return b.sinkToken()
	case MethodAppRole:
		id, err := text(a.SecretID, a.SecretIDFile)
		if err != nil {
			return lease{}, err
		}
		body["role_id"] = a.RoleID
		if !id.IsZero() {
			body["secret_id"] = id.Reveal()
		}
	case MethodKubernetes:
		jwt, err := text(secret.Text{}, a.JWTFile)
		if err != nil {
			return lease{}, err
		}
		body["role"], body["jwt"] = a.Role, jwt.Reveal()
	case MethodCert:
		if a.Role != "" {
			body["name"] = a.Role
		}
	}
	return b.exchange(ctx, "auth/"+a.Mount+"/login", body)
}

// exchange logs in with what body says of this service.
func (b *Backend) exchange(ctx context.Context, path string, body map[string]string) (lease, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return lease{}, denied("the credentials", "cannot be written as JSON")
	}
	resp, f := b.ask(ctx, request{method: http.MethodPut, path: path, body: text}, secret.Text{})
	if f != nil {
		return lease{}, loginRefused(f)
	}
	if resp.Secret == nil || resp.Auth == nil {
		return lease{}, &failure{kind: ports.ErrUnavailable, where: "the log-in", text: "gave no answer that is Vault's"}
	}
	if !isToken(resp.Auth.ClientToken) {
		return lease{}, denied("the log-in", "gave no token; a second factor cannot be served")
	}
	return lease{token: secret.New(resp.Auth.ClientToken), renewable: resp.Auth.Renewable, ttl: life(int64(resp.Auth.LeaseDuration))}, nil
}

// longLife is how long a token lives that lives longer: what is reckoned with it
// must not overflow.
const longLife = 10 * 365 * 24 * time.Hour

// life is what Vault calls a lease in seconds. One that has ended already is as
// good as one that is about to.
func life(seconds int64) time.Duration {
	switch {
	case seconds < 0:
		return time.Second
	case seconds > int64(longLife/time.Second):
		return longLife
	}
	return time.Duration(seconds) * time.Second
}

// givenToken asks Vault how long the configured token lives. One that may not
// ask is used all the same: the policy "default" may have been left out.
func (b *Backend) givenToken(ctx context.Context) (lease, error) {
	token, err := text(b.cfg.Auth.Token, b.cfg.Auth.TokenFile)
	if err != nil {
		return lease{}, err
	}
	if !isToken(token.Reveal()) {
		return lease{}, denied("the configured token", "is not printable text")
	}
	resp, f := b.ask(ctx, request{method: http.MethodGet, path: "auth/token/lookup-self"}, token)
	switch {
	case f != nil && f.status == http.StatusForbidden && !f.badToken:
		return lease{token: token}, nil
	case f != nil:
		return lease{}, loginRefused(f)
	case resp.status != http.StatusOK:
		return lease{}, denied("the configured token", "is unknown to Vault")
	}
	seconds, err := integer(resp.Data["ttl"])
	if err != nil {
		return lease{}, &failure{kind: ports.ErrUnavailable, where: "the token's lookup", text: "gave no answer that is Vault's"}
	}
	renewable, _ := resp.Data["renewable"].(bool)
	return lease{token: token, ttl: life(seconds), renewable: renewable}, nil
}

// sinkToken takes what a Vault Agent left, who renews it and writes another in
// time. A file that is not there yet is waited for.
func (b *Backend) sinkToken() (lease, error) {
	token, err := text(secret.Text{}, b.cfg.Auth.SinkFile)
	if err != nil {
		if _, missing := os.Stat(b.cfg.Auth.SinkFile); errors.Is(missing, fs.ErrNotExist) {
			return lease{}, &failure{kind: ports.ErrUnavailable, where: "the sink file " + b.cfg.Auth.SinkFile, text: "is not there yet", untouched: true}
		}
		return lease{}, err
	}
	if !isToken(token.Reveal()) {
		return lease{}, denied("the sink file "+b.cfg.Auth.SinkFile, "holds no token; a wrapped one cannot be used")
	}
	return lease{token: token}, nil
}

// renew asks for another lease on the same token.
func (b *Backend) renew(ctx context.Context, l lease) (lease, error) {
	resp, f := b.ask(ctx, request{method: http.MethodPut, path: "auth/token/renew-self", body: []byte("{}")}, l.token)
	if f != nil {
		return lease{}, loginRefused(f)
	}
	if resp.Secret == nil || resp.Auth == nil {
		return lease{}, &failure{kind: ports.ErrUnavailable, where: "the renewal", text: "gave no answer that is Vault's"}
	}
	l.ttl, l.renewable = life(int64(resp.Auth.LeaseDuration)), resp.Auth.Renewable
	return l, nil
}

// text is the value, or what the file holds now.
func text(value secret.Text, file string) (secret.Text, error) {
	if file == "" {
		return value, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return secret.Text{}, denied("the credentials", "cannot be read: "+err.Error())
	}
	t := secret.New(strings.TrimSpace(string(b)))
	if t.IsZero() {
		return secret.Text{}, denied("the file "+file, "is empty")
	}
	return t, nil
}

// isToken reports whether t can stand in a header.
func isToken(t string) bool {
	for i := range len(t) {
		if t[i] <= ' ' || t[i] > '~' {
			return false
		}
	}
	return t != ""
}

func denied(where, text string) *failure {
	return &failure{kind: ports.ErrDenied, where: where, text: text, untouched: true}
}

// loginRefused says of a log-in what the status means there: it is the
// credentials, the role or the mount that is wrong.
func loginRefused(f *failure) *failure {
	f.login = true
	switch f.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		f.kind = ports.ErrDenied
	}
	f.where += ", asked to log in,"
	return f
}
