package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"embedseal/domain/token"
)

// refuseBrowser refuses a request that a browser sent, unless the operator
// allows its origin: an API token in a page is everybody's. Such a request
// counts as one that failed to authenticate.
func (s *Server) refuseBrowser(c *gin.Context) error {
	header := c.Request.Header
	origin, fetch := header["Origin"], header["Sec-Fetch-Site"]
	if len(origin) == 0 && len(fetch) == 0 {
		return nil
	}
	if s.allow(c, origin) {
		return nil
	}
	return s.countFailure(c, &failure{kind: kindBrowser})
}

// allow answers whether origin is one the operator allows, and then lets the
// browser show the answer to the page (Fetch standard, CORS protocol).
func (s *Server) allow(c *gin.Context, origin []string) bool {
	if len(s.cfg.BrowserOrigins) == 0 {
		return false
	}
	c.Writer.Header().Add("Vary", "Origin")
	if len(origin) != 1 {
		return false
	}
	sent, err := token.ParseOrigin(origin[0])
	if err != nil {
		return false
	}
	for _, allowed := range s.cfg.BrowserOrigins {
		if sent == allowed {
			c.Writer.Header().Set("Access-Control-Allow-Origin", origin[0])
			return true
		}
	}
	return false
}

// preflight is OPTIONS: for a browser of an allowed origin only. To everybody
// else the method is not there.
func (s *Server) preflight(c *gin.Context) {
	header := c.Writer.Header()
	if !s.allow(c, c.Request.Header["Origin"]) {
		header.Set("Allow", http.MethodPost)
		answerProblem(c, &failure{kind: kindMethod})
		return
	}
	header.Set("Access-Control-Allow-Methods", http.MethodPost)
	header.Set("Access-Control-Allow-Headers", "Content-Type, Explo-Authorization, Authorization")
	header.Set("Access-Control-Max-Age", "600")
	c.Writer.WriteHeader(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}
