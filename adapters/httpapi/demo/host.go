package demo

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// host is the application: a page with a dashboard in it, and the backend that the
// page asks for tokens. Its one session can be ended.
type host struct {
	seal                     client
	revoke                   func(ctx context.Context, customer string) error
	origin, other, dashboard string
	module                   string
	signedOut                atomic.Bool
	// revoked is the last second whose tokens are revoked (Unix), or 0.
	revoked atomic.Int64
}

func (h *host) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.page)
	mux.HandleFunc("POST /embed-token", h.renew)
	mux.HandleFunc("POST /sign-out", h.signOut)
	mux.HandleFunc("POST /sign-in", h.signIn)
	files(mux, "style.css", "host.js", "icon.svg")
	// Another site's page may not end the session, nor get a token.
	return http.NewCrossOriginProtection().Handler(mux)
}

// page is the application's. Who is signed out gets it without a dashboard.
func (h *host) page(w http.ResponseWriter, r *http.Request) {
	frame := ""
	if !h.signedOut.Load() {
		jwt, err := h.mint(r.Context())
		if err != nil {
			http.Error(w, "no token: "+err.Error(), http.StatusBadGateway)
			return
		}
		frame = h.dashboard + framePath(jwt)
	}
	page(w, http.StatusOK, "host.html",
		"script-src 'self' "+h.seal.server+"; connect-src 'self'; frame-src "+h.dashboard+"; frame-ancestors 'none'",
		map[string]any{
			"Customer": Customer, "Origin": h.origin, "Other": h.other, "Dashboard": h.dashboard, "Module": h.module,
			"Frame": frame, "Seconds": int(Lifetime.Seconds()),
		})
}

// renew is the address that the page gives to the module. What an application has
// to look at here is its own session.
func (h *host) renew(w http.ResponseWriter, r *http.Request) {
	if h.signedOut.Load() {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"success": 0})
		return
	}
	jwt, err := h.mint(r.Context())
	if err != nil {
		answerJSON(w, http.StatusServiceUnavailable, map[string]any{"success": 0})
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"success": 1, "jwt": jwt})
}

// signOut ends the session first, so that no token is made behind the revocation.
func (h *host) signOut(w http.ResponseWriter, r *http.Request) {
	h.signedOut.Store(true)
	if err := h.revoke(r.Context(), Customer); err != nil {
		answerJSON(w, http.StatusServiceUnavailable, map[string]any{"success": 0, "error_msg": err.Error()})
		return
	}
	h.revoked.Store(time.Now().Unix())
	answerJSON(w, http.StatusOK, map[string]any{"success": 1})
}

// mint makes a token that no revocation from before holds. A token says in which
// second it was issued, and what is revoked is so including the second of the
// revocation: the next one is waited for.
func (h *host) mint(ctx context.Context) (string, error) {
	if wait := time.Until(time.Unix(h.revoked.Load()+1, 0)); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", fmt.Errorf("demo: wait for the second after a revocation: %w", ctx.Err())
		}
	}
	return h.seal.mint(ctx, h.origin)
}

func (h *host) signIn(w http.ResponseWriter, _ *http.Request) {
	h.signedOut.Store(false)
	answerJSON(w, http.StatusOK, map[string]any{"success": 1})
}
