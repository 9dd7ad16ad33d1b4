package httpapi

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
)

// codeGranted is what an answer with a token counts as.
const codeGranted = "granted"

// mint is POST /api/generate_jwt/.
func (s *Server) mint(c *gin.Context) {
	begin, code := s.clock.Now(), kindInternal.code // of a panic, which is answered further out
	defer func() { s.meter.Answered(code, s.clock.Now().Sub(begin)) }()
	code = s.answerMint(c)
}

// answerMint returns the code of its answer.
func (s *Server) answerMint(c *gin.Context) string {
	var caller app.Caller
	if err := s.refuseBrowser(c); err != nil {
		return s.fail(c, audit.ActionMint, caller, err)
	}
	caller, err := s.authenticate(c, apitoken.Mint)
	if err != nil {
		return s.fail(c, audit.ActionMint, caller, err)
	}
	body, err := readBody(c.Writer, c.Request)
	if err != nil {
		return s.fail(c, audit.ActionMint, caller, err)
	}
	draft, err := decodeDraft(body)
	if err != nil {
		return s.fail(c, audit.ActionMint, caller, err)
	}
	minted, err := s.minter.Mint(c.Request.Context(), call(c), caller, draft)
	if err != nil {
		return s.fail(c, audit.ActionMint, caller, err)
	}
	answerToken(c, minted.Text)
	return codeGranted
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
