package demo

import (
	"context"
	"net/http"
	"sync/atomic"
)

// host is the application: a page with a dashboard in it, and the backend that the
// page asks for tokens. Its one session can be ended.
type host struct {
	seal                     client
	revoke                   func(ctx context.Context, customer string) error
	origin, other, dashboard string
	module                   string
	signedOut                atomic.Bool
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

// page is the application's. To load it is to sign in.
func (h *host) page(w http.ResponseWriter, r *http.Request) {
	h.signedOut.Store(false)
	jwt, err := h.seal.mint(r.Context(), h.origin)
	if err != nil {
		http.Error(w, "no token: "+err.Error(), http.StatusBadGateway)
		return
	}
	page(w, http.StatusOK, "host.html",
		"script-src 'self' "+h.seal.server+"; connect-src 'self'; frame-src "+h.dashboard+"; frame-ancestors 'none'",
		map[string]any{
			"Customer": Customer, "Origin": h.origin, "Other": h.other, "Dashboard": h.dashboard, "Module": h.module,
			"Frame": h.dashboard + framePath(jwt), "Seconds": int(Lifetime.Seconds()),
		})
}

// renew is the address that the page gives to the module. What an application has
// to look at here is its own session.
func (h *host) renew(w http.ResponseWriter, r *http.Request) {
	if h.signedOut.Load() {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"success": 0})
		return
	}
	jwt, err := h.seal.mint(r.Context(), h.origin)
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
	answerJSON(w, http.StatusOK, map[string]any{"success": 1})
}

func (h *host) signIn(w http.ResponseWriter, _ *http.Request) {
	h.signedOut.Store(false)
	answerJSON(w, http.StatusOK, map[string]any{"success": 1})
}
