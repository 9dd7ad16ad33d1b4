package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// problemBody is the one shape of every failure: RFC 9457 with extension
// members, `success` and `error_msg` among them for clients of the documented
// service.
type problemBody struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code"`
	Success   int          `json:"success"`
	ErrorMsg  string       `json:"error_msg"`
	RequestID string       `json:"request_id"`
	Errors    []fieldError `json:"errors,omitempty"`
}

type fieldError struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// typePrefix and a code make a problem's `type`, a name rather than an address:
// docs/errors.md explains each.
const typePrefix = "urn:embedseal:problem:"

// answerProblem writes f. It does not record or log it: see [front.refuse].
func answerProblem(c *gin.Context, f *failure) {
	text, err := encoded(problemOf(f, requestID(c)))
	if err != nil { // strings and numbers always encode
		c.Status(http.StatusInternalServerError)
		return
	}
	header := c.Writer.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	switch f.kind.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="embedseal"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if header.Get("Retry-After") == "" {
			header.Set("Retry-After", "1")
		}
	}
	c.Writer.WriteHeader(f.kind.status)
	_, _ = c.Writer.Write(text)
}

// problemOf is what is said of f.
func problemOf(f *failure, requestID string) problemBody {
	detail := f.detail
	if detail == "" {
		detail = f.kind.detail
	}
	return problemBody{
		Type: typePrefix + f.kind.code, Title: f.kind.title, Status: f.kind.status, Detail: detail,
		Code: f.kind.code, ErrorMsg: detail, RequestID: requestID, Errors: fieldErrors(f.faults),
	}
}

// fieldErrors is how faults are answered; nil without any.
func fieldErrors(faults []token.Fault) []fieldError {
	var all []fieldError
	for _, fault := range faults {
		all = append(all, fieldError{Field: fault.Field, Code: fault.Code, Detail: fault.Detail})
	}
	return all
}

// fail ends a POST of a minting route with the answer that err stands for: see
// [front.refuse].
func (s *Server) fail(c *gin.Context, action audit.Action, caller app.Caller, err error) string {
	return s.refuse(c, app.Actor{Caller: caller}, app.Refusal{Action: action}, err)
}

// refuse ends a request with the answer that err stands for. The failure is
// recorded first, unless a use-case has done so; if that cannot be done, the
// answer says so and nothing of what it would have said. what names the action and
// what it was about. It returns the code of the answer.
func (s *front) refuse(c *gin.Context, by app.Actor, what app.Refusal, err error) string {
	c.Abort()
	f := s.settle(c, by, what, err)
	answerProblem(c, f)
	return f.kind.code
}

// settle is refuse without the answer, which it returns: translated, recorded and
// logged.
func (s *front) settle(c *gin.Context, by app.Actor, what app.Refusal, err error) *failure {
	f := translate(err)
	if f.kind != kindAudit && !app.Recorded(err) {
		what.Code, what.Faults = f.code(), f.faults
		if f.kind.status == http.StatusNotFound { // what nobody has may be a secret in the wrong place
			what.KeyID, what.Target = "", ""
			if !errors.Is(err, key.ErrUnknown) && !errors.Is(err, group.ErrUnknownToken) {
				what.Group = ""
			}
		}
		what.Failed = f.kind.status >= http.StatusInternalServerError
		var refused *policy.Refusal
		if errors.As(err, &refused) {
			what.Request = refused.Request
		}
		if recordErr := s.record(c, by, what, f); recordErr != nil {
			s.logFailure(c, f)
			f = translate(recordErr)
		}
	}
	s.logFailure(c, f)
	return f
}

// record records a failure; what a stranger can cause without end, once a second.
func (s *front) record(c *gin.Context, by app.Actor, what app.Refusal, f *failure) error {
	name := f.counted
	if name == "" && (f.kind == kindNoToken || f.kind == kindBrowser) {
		name = peer(c)
	}
	if name != "" {
		return s.refusals.Count(c.Request.Context(), call(c), by, name, what)
	}
	return s.refusals.Record(c.Request.Context(), call(c), by, what)
}

func (s *front) logFailure(c *gin.Context, f *failure) {
	level := slog.LevelDebug
	if f.kind.status >= http.StatusInternalServerError && !errors.Is(f.err, context.Canceled) { // the client left
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("request_id", requestID(c)), slog.String("code", f.kind.code)}
	if f.kind.status != http.StatusNotFound { // its error names what was asked for, which may be anything
		attrs = append(attrs, slog.Any("error", f.err))
	}
	s.log.LogAttrs(c.Request.Context(), level, "request failed", attrs...)
}
