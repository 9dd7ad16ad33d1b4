package demo

import (
	"math"
	"net/http"
	"time"
)

// dashboard is what is protected. It lets nothing through that embedseal does not
// admit, and tells the browser who may embed it.
type dashboard struct {
	seal client
	// host is the origin that may embed the page which says why there is no
	// dashboard: a token that is not good names nobody.
	host    string
	started time.Time
}

// framePath is where the dashboard is, with the token in it as the protocol has it.
func framePath(jwt string) string { return "/iframe/" + jwt + "/demo" }

func (d *dashboard) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /iframe/{jwt}/demo", d.view)
	mux.HandleFunc("GET /data", d.data)
	files(mux, "style.css", "view.js", "reason.js", "icon.svg")
	return mux
}

// view is the dashboard, or the page that says why not.
func (d *dashboard) view(w http.ResponseWriter, r *http.Request) {
	ok, granted, err := d.seal.admit(r)
	if err != nil || !ok {
		d.refuse(w, r, err)
		return
	}
	ancestors := granted.Get("Content-Security-Policy")
	if ancestors == "" {
		ancestors = "frame-ancestors 'none'"
	}
	page(w, http.StatusOK, "view.html", "script-src 'self'; connect-src 'self'; "+ancestors, map[string]any{
		"Customer": granted.Get("X-Embed-Customer"), "Embed": granted.Get("X-Embed-Id"), "Features": granted.Get("X-Embed-Features"),
		"Expires": granted.Get("X-Embed-Expires"), "Host": d.host,
	})
}

// refuse says why there is no dashboard. Forward-auth does not, to anybody: the
// dashboard asks for the reason with its own credential, and tells it only where
// the token was one of ours, so that nobody learns which keys there are.
func (d *dashboard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, reason := http.StatusForbidden, ""
	if err == nil {
		reason, err = d.seal.reason(r.Context(), r.PathValue("jwt"))
	}
	if err != nil {
		status, reason = http.StatusServiceUnavailable, "unavailable"
	}
	said := map[string][2]string{
		"expired":     {"This view has expired", "Its token was good for a short time, and that is over."},
		"revoked":     {"This view was taken back", "Its token was revoked, and every request since then is refused."},
		"unavailable": {"This view is not available now", "Whether its token is good cannot be found out at the moment."},
	}
	text, known := said[reason]
	if !known {
		reason, text = "refused", [2]string{"This view cannot be shown", "Its token is not one that opens it."}
	}
	page(w, status, "reason.html", "script-src 'self'; frame-ancestors "+d.host, map[string]any{
		"Reason": reason, "Title": text[0], "Text": text[1], "Host": d.host,
	})
}

// data is what the dashboard shows, made up.
func (d *dashboard) data(w http.ResponseWriter, r *http.Request) {
	ok, granted, err := d.seal.admit(r)
	switch {
	case err != nil:
		answerJSON(w, http.StatusServiceUnavailable, map[string]any{})
		return
	case !ok:
		answerJSON(w, http.StatusForbidden, map[string]any{})
		return
	}
	sales := make([]int, 7)
	for i := range sales {
		sales[i] = 55 + int(35*math.Sin(float64(i)*0.9+time.Since(d.started).Seconds()/4))
	}
	answerJSON(w, http.StatusOK, map[string]any{"sales": sales, "expires": granted.Get("X-Embed-Expires")})
}
