package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// forwardRoute is asked by a proxy, for each request, whether it may pass. Some
// proxies put the path of that request behind it, and keep its method.
const forwardRoute = "/api/forward_auth"

// forwardMethods are those that a proxy may keep.
func forwardMethods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}
}

// What the refusals of forward-auth are recorded and counted as that have no
// reason of a verdict. The answer says none of it.
const (
	refusedNoToken = "no_embed_token" //nolint:gosec // a word
	refusedUnclear = "unclear_embed_token"
	refusedScope   = "insufficient_scope"
)

// forwardAuth is /api/forward_auth/ and all below it.
func (s *Server) forwardAuth(c *gin.Context) {
	begin, outcome := s.clock.Now(), kindInternal.code // of a panic, which is answered further out
	defer func() { s.meter.Forwarded(outcome, s.clock.Now().Sub(begin)) }()
	outcome = s.answerForwardAuth(c)
}

// answerForwardAuth returns what came of it.
func (s *Server) answerForwardAuth(c *gin.Context) string {
	caller, err := s.authenticateProxy(c)
	if err != nil {
		return s.failForward(c, caller, err)
	}
	text, err := embedToken(c.Request.Header, behind(c.Request))
	if err != nil {
		return s.failForward(c, caller, err)
	}
	v, err := s.verifier.Verify(c.Request.Context(), call(c), caller, text, verdict.Presented{})
	if err != nil {
		return s.failForward(c, caller, err)
	}
	if !v.Active { // which has its record
		f := refusedFor(caller, string(v.Reason))
		s.logFailure(c, f)
		answerProblem(c, f)
		return f.code()
	}
	admit(c, v.Claims)
	return codeGranted
}

// behind is what the question's address has behind the route, as it was written.
// No proxy writes the route itself in another way: then it is no address.
func behind(r *http.Request) string {
	rest, plain := strings.CutPrefix(r.URL.EscapedPath(), forwardRoute)
	if !plain {
		return "*"
	}
	if r.URL.RawQuery == "" {
		return rest
	}
	return "/" + strings.TrimPrefix(rest, "/") + "?" + r.URL.RawQuery
}

// authenticateProxy is [front.authenticate] for a proxy. Its API token comes in
// Explo-Authorization alone: Authorization, Origin and the like are those of the
// client that it asks for.
func (s *Server) authenticateProxy(c *gin.Context) (app.Caller, error) {
	text, err := credential(c.Request.Header["Explo-Authorization"], "Token")
	if err != nil || text == "" {
		return app.Caller{}, s.countFailure(c, &failure{kind: kindNoToken})
	}
	return s.authenticateText(c, text, apitoken.Verify)
}

// failForward ends a request of a proxy. Whatever it says may reach the client: so
// there is one answer where something is missing, one where an embed token is
// refused, and the reason is for the records. It returns what the answer is counted
// as.
func (s *Server) failForward(c *gin.Context, caller app.Caller, err error) string {
	switch {
	case errors.Is(err, errNoEmbedToken):
		err = &failure{kind: kindNoToken, recorded: refusedNoToken, counted: nameOf(caller), err: err}
	case errors.Is(err, app.ErrScope):
		err = &failure{kind: kindNoToken, recorded: refusedScope, counted: nameOf(caller), err: err}
	case errors.Is(err, errUnclear):
		err = refusedFor(caller, refusedUnclear)
	}
	f := translate(err)
	if f.kind == kindNoToken {
		unsaid := *f
		unsaid.detail = "this request is not authenticated"
		f = &unsaid
	}
	code := s.refuse(c, app.Actor{Caller: caller}, app.Refusal{Action: audit.ActionVerify}, f)
	if code == f.kind.code {
		code = f.code()
	}
	return code
}

// refusedFor is the refusal of an embed token, of which strangers can cause as many
// as they like: one record stands for many.
func refusedFor(caller app.Caller, reason string) *failure {
	return &failure{kind: kindRefused, recorded: reason, counted: nameOf(caller), err: errors.New(reason)}
}

// admit is the answer that lets a request pass: an empty 200, since Envoy takes
// nothing else, and headers for the program behind the proxy.
func admit(c *gin.Context, claims token.Claims) {
	header := c.Writer.Header()
	set := func(name, value string) { header[name] = []string{value} }
	set("X-Embed-Customer", headerText(claims.Customer))
	set("X-Embed-Id", headerText(claims.Embed))
	if claims.Chart != "" {
		set("X-Embed-Chart", headerText(claims.Chart))
	}
	set("X-Embed-Features", featuresText(claims.Features))
	editing := "enabled"
	if claims.DisableEditing == token.Yes {
		editing = "disabled"
	}
	set("X-Embed-Editing", editing)
	set("X-Embed-Expires", claims.ExpiresAt.UTC().Truncate(time.Second).Format(time.RFC3339))
	if !claims.Origin.IsZero() {
		ancestors := "frame-ancestors " + strings.TrimSuffix(claims.Origin.String(), "/")
		set("Content-Security-Policy", ancestors)
		set("X-Embed-Frame-Ancestors", ancestors)
	}
	set("Content-Length", "0")
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
}

// headerText is an id as the value of a header: what is no visible ASCII character
// is percent-encoded, and so are the percent sign and braces, which Caddy writes
// where it has no value.
func headerText(id string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(id))
	for i := range len(id) {
		if b := id[i]; b <= ' ' || b > '~' || b == '%' || b == '{' || b == '}' {
			out = append(out, '%', hex[b>>4], hex[b&15])
			continue
		}
		out = append(out, id[i])
	}
	return string(out)
}

// featuresText is never empty: proxies drop empty headers, and nothing allowed is
// the opposite of nothing said.
func featuresText(f token.Features) string {
	if words := f.Words(); words == nil || len(words) == 1 && words[0] == "*" {
		return "*"
	}
	var all []string
	for _, feature := range f.Expanded() {
		all = append(all, string(feature))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ",")
}
