package httpapi

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
)

// mint is POST /api/generate_jwt/.
func (s *Server) mint(c *gin.Context) {
	var caller app.Caller
	if err := s.refuseBrowser(c); err != nil {
		s.fail(c, audit.ActionMint, caller, err)
		return
	}
	caller, err := s.authenticate(c, apitoken.Mint)
	if err != nil {
		s.fail(c, audit.ActionMint, caller, err)
		return
	}
	body, err := readBody(c.Writer, c.Request)
	if err != nil {
		s.fail(c, audit.ActionMint, caller, err)
		return
	}
	draft, err := decodeDraft(body)
	if err != nil {
		s.fail(c, audit.ActionMint, caller, err)
		return
	}
	minted, err := s.minter.Mint(c.Request.Context(), call(c), caller, draft)
	if err != nil {
		s.fail(c, audit.ActionMint, caller, err)
		return
	}
	answerToken(c, minted.Text)
}

// answerToken writes `success` as the number 1. A compact JWE needs no escape.
func answerToken(c *gin.Context, text []byte) {
	out := make([]byte, 0, len(text)+32)
	out = append(append(append(out, `{"success": 1, "jwt": "`...), text...), "\"}\n"...)
	header := c.Writer.Header()
	header["Content-Type"] = []string{"application/json"}
	header["Content-Length"] = []string{strconv.Itoa(len(out))}
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(out)
}
