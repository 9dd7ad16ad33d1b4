package httpapi

import (
	"context"
	"errors"
	"net/http"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
)

// peerKey is what the peer of a unix socket is kept under in a request's context.
type peerKey struct{}

func withPeer(ctx context.Context, peer string) context.Context {
	if peer == "" {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// The names of operators in the audit log, beside those of [peerOf].
const operatorByToken = "operator-token"

// The rights of operators.
const (
	rightsOfToken  = app.ToRead | app.ToWrite
	rightsOfSocket = rightsOfToken | app.ToReveal
)

// identifyActor finds out who administers. On the socket that is the user at its
// other end, who may do everything; a token that is presented there counts all the
// same, so that a script can do with less. Over TCP it is a token.
func (a *Admin) identifyActor(x *exchange) error {
	header := x.Request.Header
	if len(header["Origin"]) > 0 || len(header["Sec-Fetch-Site"]) > 0 {
		return a.countFailure(x.Context, &failure{kind: kindBrowser, detail: "this request was sent by a browser; the administration API is for programs"})
	}
	peer, _ := x.Request.Context().Value(peerKey{}).(string)
	if peer != "" && !credentials(header) {
		x.by = app.Actor{Operator: peer, Rights: rightsOfSocket}
		return nil
	}
	if text, err := presented(header); err == nil && a.cfg.OperatorToken.is(text) {
		x.by = app.Actor{Operator: operatorByToken, Rights: rightsOfToken}
		if a.cfg.OperatorReveal {
			x.by.Rights |= app.ToReveal
		}
		return nil
	}
	caller, err := a.authenticate(x.Context, apitoken.Scopes(0))
	x.by = app.Actor{Caller: caller}
	var failed *failure
	if errors.Is(err, app.ErrUnauthenticated) || errors.As(err, &failed) && failed.kind == kindNoToken && failed.detail == "" {
		return &failure{kind: kindNoToken, detail: "a valid operator token or API token is required: send the header 'Authorization: Bearer <token>'", err: err}
	}
	return err
}

// may asks for a right before anything else of the request is looked at. The
// use-cases ask again.
func (x *exchange) may(need app.Right) error {
	if need == 0 {
		return nil
	}
	if id, inGroup := x.Params.Get("group"); inGroup {
		return x.by.May(need, group.ID(id))
	}
	return x.by.MayEverywhere(need)
}

func credentials(header http.Header) bool {
	return len(header["Authorization"]) > 0 || len(header["Explo-Authorization"]) > 0
}
