package httpapi

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/strictjson"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// codeActive is what an answer to a good token counts as; one to a token that is not
// good counts as its reason.
const codeActive = "active"

// verify is POST /api/verify_jwt/.
func (s *Server) verify(c *gin.Context) {
	begin, code := s.clock.Now(), kindInternal.code // of a panic, which is answered further out
	defer func() { s.meter.Verified(code, s.clock.Now().Sub(begin)) }()
	code = s.answerVerify(c)
}

// answerVerify returns the code of its answer.
func (s *Server) answerVerify(c *gin.Context) string {
	var caller app.Caller
	if err := s.refuseAnyBrowser(c); err != nil {
		return s.fail(c, audit.ActionVerify, caller, err)
	}
	caller, err := s.authenticate(c, apitoken.Verify)
	if err != nil {
		return s.fail(c, audit.ActionVerify, caller, err)
	}
	body, err := readBody(c.Writer, c.Request)
	if err != nil {
		return s.fail(c, audit.ActionVerify, caller, err)
	}
	text, presented, err := decodeVerify(body)
	if err != nil {
		return s.fail(c, audit.ActionVerify, caller, err)
	}
	found, err := s.verifier.Verify(c.Request.Context(), call(c), caller, text, presented)
	if err != nil {
		return s.fail(c, audit.ActionVerify, caller, err)
	}
	if !found.Active {
		answerJSON(c, append(append([]byte(`{"success": 1, "active": false, "reason": "`), found.Reason...), "\"}\n"...))
		return string(found.Reason)
	}
	answerJSON(c, appendVerdict(make([]byte, 0, 768), found))
	return codeActive
}

// refuseAnyBrowser refuses a request that a browser sent: no page has a use for what
// is answered here, whatever its origin.
func (s *Server) refuseAnyBrowser(c *gin.Context) error {
	header := c.Request.Header
	if len(header["Origin"]) == 0 && len(header["Sec-Fetch-Site"]) == 0 {
		return nil
	}
	return s.countFailure(c, &failure{
		kind: kindBrowser, detail: "this request was sent by a browser; verify on your server, so that the API token never reaches a page",
	})
}

// decodeVerify reads the members of a verify request. All that is wrong is reported
// at once.
func decodeVerify(body []byte) (string, verdict.Presented, error) {
	var faults []token.Fault
	var jwt, origin, embed, chart *string
	room := make(kept, 0, 4)
	unknown := 0
	err := strictjson.Object(body, func(name string, v strictjson.Value) error {
		switch name {
		case verdict.FieldToken:
			jwt = room.keep(text(&faults, name, v))
		case token.FieldEmbedOrigin:
			origin = room.keep(text(&faults, name, v))
		case token.FieldEmbedID:
			embed = room.keep(id(&faults, name, v))
		case token.FieldChartID:
			chart = room.keep(id(&faults, name, v))
		default:
			if unknown++; unknown <= maxUnknown {
				faults = append(faults, unknownMember(name, verdict.Fields()))
			}
		}
		return nil
	})
	if unknown > maxUnknown {
		faults = append(faults, moreUnknown(unknown-maxUnknown))
	}
	var detailed *strictjson.Error
	switch {
	case errors.As(err, &detailed):
		return "", verdict.Presented{}, jsonFailure(detailed, verdict.Fields())
	case err != nil:
		return "", verdict.Presented{}, err
	}
	if jwt == nil && !named(faults, verdict.FieldToken) {
		faults = append([]token.Fault{{Field: verdict.FieldToken, Code: token.FaultRequired, Detail: "a string is required"}}, faults...)
	}
	presented, err := verdict.Present(origin, embed, chart)
	var invalid *token.Invalid
	if errors.As(err, &invalid) {
		faults = append(faults, invalid.Faults...)
	}
	if faults != nil {
		return "", verdict.Presented{}, &token.Invalid{Faults: faults}
	}
	return *jwt, presented, nil
}

func named(faults []token.Fault, field string) bool {
	for _, f := range faults {
		if f.Field == field {
			return true
		}
	}
	return false
}

// appendVerdict writes what stands in a good token. The features are always a list,
// so that nobody takes an absent one for an empty one.
func appendVerdict(out []byte, v app.Verdict) []byte {
	c := &v.Claims
	out = appendString(append(out, `{"success": 1, "active": true, "provided_id": `...), c.Customer)
	out = appendString(append(out, `, "embed_id": `...), c.Embed)
	out = appendOptional(append(out, `, "chart_id": `...), c.Chart)
	out = append(out, `, "rb_allowed_features": [`...)
	for i, f := range c.Features.Expanded() {
		if i > 0 {
			out = append(out, `, `...)
		}
		out = append(append(append(out, '"'), f...), '"')
	}
	out = strconv.AppendBool(append(out, `], "disable_editable_section_editing": `...), c.DisableEditing == token.Yes)
	out = appendOptional(append(out, `, "embed_origin": `...), c.Origin.String())
	out = appendString(append(out, `, "key_id": `...), string(v.KeyID))
	out = append(out, `, "issued_at": `...)
	if c.IssuedAt.IsZero() {
		out = append(out, "null"...)
	} else {
		out = appendTime(out, c.IssuedAt)
	}
	out = appendTime(append(out, `, "expires_at": `...), c.ExpiresAt)
	out = strconv.AppendInt(append(out, `, "expires_in": `...), int64(v.Left/time.Second), 10)
	return append(append(append(out, `, "fingerprint": "`...), v.Fingerprint.String()...), "\"}\n"...)
}

func appendTime(out []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(out, '"'), time.RFC3339), '"')
}

// appendOptional writes what may be absent: null then.
func appendOptional(out []byte, s string) []byte {
	if s == "" {
		return append(out, "null"...)
	}
	return appendString(out, s)
}

// appendString writes a claim, which is valid UTF-8 without control characters.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always encodes
				return append(out, `""`...)
			}
			return append(out, quoted...)
		}
	}
	return append(append(append(out, '"'), s...), '"')
}
