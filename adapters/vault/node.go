package vault

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"embedseal/domain/secret"
)

// node is one server of Vault.
type node struct {
	address
	client *vaultapi.Client
}

// ask makes the request with that token at one node after the other.
func (b *Backend) ask(ctx context.Context, req request, token secret.Text) (response, *failure) {
	tries, first := len(b.nodes), int(b.current.Load())
	if req.reads() {
		tries = max(tries, 2)
	}
	var worst *failure
	for i := range tries {
		if i >= len(b.nodes) {
			pause(ctx, 50*time.Millisecond)
		}
		at := (first + i) % len(b.nodes)
		resp, f := b.try(ctx, b.nodes[at], req, token)
		if f == nil {
			b.current.Store(int64(at))
			return resp, nil
		}
		worst = worse(worst, f)
		if f.elsewhere {
			// Not if another call has found a better one in the meantime.
			b.current.CompareAndSwap(int64(at), int64((at+1)%len(b.nodes)))
		}
		if !req.reads() {
			worst = f
		}
		if !f.elsewhere || ctx.Err() != nil || !req.reads() && !f.untouched {
			break
		}
	}
	return response{}, worst
}

// try makes the request at one node, in a time that leaves some for another.
func (b *Backend) try(ctx context.Context, n *node, req request, token secret.Text) (response, *failure) {
	limit := b.cfg.TryTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if len(b.nodes) > 1 { // two may hang when the leader does
			left = left * 3 / 4
		}
		limit = min(limit, left*2/3)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var resp response
	var err error
	client := n.client.WithRequestCallbacks(func(r *vaultapi.Request) {
		r.ClientToken, r.WrapTTL = token.Reveal(), ""
	}).WithResponseCallbacks(func(r *vaultapi.Response) {
		resp.status = r.StatusCode
	}).Logical()
	switch req.method {
	case methodList:
		return n.read(ctx, client, req.path, url.Values{"list": {"true"}})
	case http.MethodGet:
		return n.read(ctx, client, req.path, nil)
	case http.MethodDelete:
		resp.Secret, err = client.DeleteWithContext(ctx, req.path)
	default:
		resp.Secret, err = client.WriteBytesWithContext(ctx, req.path, req.body)
	}
	if err != nil {
		return response{}, broken(n.origin, err)
	}
	return resp, nil
}

// read tells a record that is not there from an answer that is not Vault's:
// Vault says 404 with an empty list of errors, or with the metadata of a
// version that was deleted.
func (n *node) read(ctx context.Context, client *vaultapi.Logical, path string, query url.Values) (response, *failure) {
	raw, err := client.ReadRawWithDataWithContext(ctx, path, query)
	if raw != nil {
		defer func() { _ = raw.Body.Close() }()
	}
	var refusal *vaultapi.ResponseError
	absent := errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound && !refusal.RawError && len(refusal.Errors) == 0
	if err != nil && !absent {
		return response{}, broken(n.origin, err)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(raw.Body); err != nil {
		return response{}, broken(n.origin, err)
	}
	s, err := vaultapi.ParseSecret(&body)
	if err != nil {
		return response{}, broken(n.origin, err)
	}
	if hasData := s != nil && s.Data != nil; !hasData && (!absent || refusal.Errors == nil) {
		return response{}, broken(n.origin, errNotVault)
	}
	return response{status: raw.StatusCode, Secret: s}, nil
}

// errNotVault is an answer of something in front of Vault, or broken off.
var errNotVault = errors.New("vault: read answer: it has no data")
