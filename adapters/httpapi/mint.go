package httpapi

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
)

// What an answer counts as that is no problem.
const (
	codeGranted = "granted" // it has a token
	codeDryRun  = "dry_run" // it says what would be in one, or why there would be none
)

// mint is POST /api/generate_jwt/.
func (s *Server) mint(c *gin.Context) {
	begin, code := s.clock.Now(), kindInternal.code // of a panic, which is answered further out
	defer func() { s.meter.Answered(code, s.clock.Now().Sub(begin)) }()
	code = s.answerMint(c)
}

// answerMint returns the code of its answer.
func (s *Server) answerMint(c *gin.Context) string {
	dry, queryErr := dryRun(c.Request.URL.RawQuery)
	action := audit.ActionMint
	if dry {
		action = audit.ActionMintDryRun
	}
	var caller app.Caller
	if err := s.refuseBrowser(c); err != nil {
		return s.fail(c, action, caller, err)
	}
	caller, err := s.authenticate(c, apitoken.Mint)
	if err != nil {
		return s.fail(c, action, caller, err)
	}
	if queryErr != nil {
		return s.fail(c, action, caller, queryErr)
	}
	body, err := readBody(c.Writer, c.Request)
	if err != nil {
		return s.fail(c, action, caller, err)
	}
	draft, err := decodeDraft(body)
	if err != nil {
		return s.fail(c, action, caller, err)
	}
	if dry {
		return s.answerDryRun(c, caller, draft)
	}
	minted, err := s.minter.Mint(c.Request.Context(), call(c), caller, draft)
	if err != nil {
		return s.fail(c, action, caller, err)
	}
	answerToken(c, minted)
	return codeGranted
}

func answerToken(c *gin.Context, minted app.Minted) {
	buffer := answers.Get().(*[]byte) //nolint:errcheck // New makes nothing else
	defer answers.Put(buffer)
	*buffer = append(appendToken((*buffer)[:0], minted), '\n')
	answerJSON(c, *buffer)
}

// appendToken writes `success` as the number 1. A compact JWE needs no escape.
func appendToken(dst []byte, minted app.Minted) []byte {
	dst = append(append(append(dst, `{"success": 1, "jwt": "`...), minted.Text...), '"')
	if len(minted.Clamped) > 0 {
		dst = appendJSON(append(dst, `, "warnings": `...), fieldErrors(minted.Clamped))
	}
	return append(dst, '}')
}

// answers are buffers that answers are put together in: what is written of one lies
// elsewhere when the write returns.
var answers = sync.Pool{New: func() any { return new([]byte) }}

func answerJSON(c *gin.Context, body []byte) {
	header := c.Writer.Header()
	header["Content-Type"] = typeJSON
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(body)
}
