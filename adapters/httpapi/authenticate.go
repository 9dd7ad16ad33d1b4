package httpapi

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
)

// authenticate finds the caller, and counts the request: against the API token
// when there is one, against the peer's address when there is none.
func (s *front) authenticate(c *gin.Context, need apitoken.Scopes) (app.Caller, error) {
	text, err := presented(c.Request.Header)
	if err != nil {
		return app.Caller{}, s.countFailure(c, err)
	}
	return s.authenticateText(c, text, need)
}

// authenticateText is authenticate for the text of an API token.
func (s *front) authenticateText(c *gin.Context, text string, need apitoken.Scopes) (app.Caller, error) {
	token, err := s.auth.Parse(text)
	if err != nil {
		return app.Caller{}, s.countFailure(c, app.ErrUnauthenticated)
	}
	// A stranger who invents groups is refused before the backend is asked.
	if s.auth.Asks(token) {
		if wait := s.failures.spent(bucketOfPeer(peer(c))); wait > 0 {
			return app.Caller{}, tooMany(c, wait, peer(c))
		}
	}
	caller, err := s.auth.Identify(c.Request.Context(), token, need, remote(c))
	if errors.Is(err, app.ErrUnauthenticated) {
		return app.Caller{}, s.countFailure(c, err)
	}
	if err != nil && !errors.Is(err, app.ErrScope) {
		return app.Caller{}, err
	}
	if wait := s.tokens.take(bucketOf(caller)); wait > 0 {
		return caller, tooMany(c, wait, nameOf(caller))
	}
	return caller, err
}

// bucketOf is what the requests of an API token are counted by.
func bucketOf(caller app.Caller) bucketName {
	return bucketOfToken(string(caller.GroupID()), caller.TokenID())
}

// nameOf is an API token in what is recorded of its refusals.
func nameOf(caller app.Caller) string { return string(caller.GroupID()) + "/" + caller.TokenID() }

// presented is the API token of the request: `Explo-Authorization: Token …`, or
// `Authorization: Bearer …`. Both may be sent if they say the same.
func presented(header http.Header) (string, error) {
	explo, err := credential(header["Explo-Authorization"], "Token")
	if err != nil {
		return "", missing()
	}
	bearer, err := credential(header["Authorization"], "Bearer")
	switch {
	case err != nil:
		return "", missing()
	case explo == "":
		explo = bearer
	case bearer != "" && bearer != explo:
		return "", &failure{kind: kindNoToken, detail: "Explo-Authorization and Authorization name different API tokens; send one of them"}
	}
	if explo == "" {
		return "", missing()
	}
	return explo, nil
}

func missing() *failure { return &failure{kind: kindNoToken} }

var errScheme = errors.New("not the scheme of this header")

// credential cuts the scheme off; schemes compare without case (RFC 9110
// section 11.1).
func credential(values []string, scheme string) (string, error) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", errScheme
	}
	got, text, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(got, scheme) {
		return "", errScheme
	}
	return strings.TrimSpace(text), nil
}

// countFailure turns the refusal of a stranger into 429 when the address has had
// too many of them.
func (s *front) countFailure(c *gin.Context, err error) error {
	if wait := s.failures.take(bucketOfPeer(peer(c))); wait > 0 {
		return tooMany(c, wait, peer(c))
	}
	return err
}

// peer is what strangers are counted by: the address, or for IPv6 its /64,
// which is what one subscriber has.
func peer(c *gin.Context) string {
	addr := remote(c).Unmap()
	if !addr.IsValid() {
		return "unknown"
	}
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// remote is the peer's address; the zero Addr when it is not known.
func remote(c *gin.Context) netip.Addr {
	if len(c.Request.Header["X-Forwarded-For"]) == 0 { // nothing for gin to weigh
		if at, err := netip.ParseAddrPort(c.Request.RemoteAddr); err == nil && at.Addr().Zone() == "" {
			return at.Addr().Unmap()
		}
	}
	addr, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return netip.Addr{}
	}
	return addr
}
