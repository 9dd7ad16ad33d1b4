package httpapi

import (
	"bytes"
	"encoding/json"
	"net/url"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/spelling"
	"embedseal/domain/token"
)

// dryRunParameter is the one parameter of a query that is looked at.
const dryRunParameter = "dry_run"

// dryRun reads the query. What is near to the parameter and is not it is refused:
// whoever mistypes it does not want a token. So is a query that cannot be read,
// because it may hold one. Other parameters are let be.
func dryRun(query string) (bool, error) {
	if query == "" {
		return false, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil { // which repeats what was sent
		return false, &failure{kind: kindQuery}
	}
	for name := range values {
		if near, _ := spelling.Nearest(name, []string{dryRunParameter}); near != "" && name != near {
			return false, &failure{kind: kindQuery, detail: "a parameter is not called " + dryRunParameter + ", and nearly so"}
		}
	}
	given := values[dryRunParameter]
	switch {
	case len(given) == 0:
		return false, nil
	case len(given) > 1:
		return false, &failure{kind: kindQuery, detail: dryRunParameter + " stands there twice"}
	}
	switch given[0] {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	}
	return false, &failure{kind: kindQuery, detail: dryRunParameter + " must be 1 or true, 0 or false"}
}

// dryRunBody is the answer to a dry run. `success` says that it was answered, and
// not that there would be a token.
type dryRunBody struct {
	Success  int             `json:"success"`
	DryRun   bool            `json:"dry_run"`
	Allowed  bool            `json:"allowed"`
	Claims   json.RawMessage `json:"claims"`
	KeyID    *string         `json:"key_id"`
	Errors   []fieldError    `json:"errors"`
	Warnings []fieldError    `json:"warnings"`
}

// answerDryRun returns the code of its answer.
func (s *Server) answerDryRun(c *gin.Context, caller app.Caller, draft token.Draft) string {
	run, err := s.minter.DryRun(c.Request.Context(), call(c), caller, draft)
	if err != nil {
		return s.fail(c, audit.ActionMintDryRun, caller, err)
	}
	body := dryRunBody{
		Success: 1, DryRun: true, Allowed: run.Allowed, Claims: run.Claims,
		Errors: append([]fieldError{}, fieldErrors(run.Broken)...), Warnings: append([]fieldError{}, fieldErrors(run.Clamped)...),
	}
	if run.KeyID != "" {
		body.KeyID = new(string(run.KeyID))
	}
	answerJSON(c, append(appendJSON(nil, body), '\n'))
	return codeDryRun
}

// appendJSON writes v, which always encodes, as JSON on one line.
func appendJSON(dst []byte, v any) []byte {
	text, err := encoded(v)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, bytes.TrimSuffix(text, []byte("\n"))...)
}
