package httpapi

import (
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/ports"
)

const requestIDHeader = "X-Request-Id"

// identify gives the request a name of our own making, and the headers that
// every answer has.
func (s *front) identify(c *gin.Context) {
	id := headers(c, s.random)
	c.Next()
	if s.log.Enabled(c.Request.Context(), slog.LevelDebug) {
		s.log.LogAttrs(c.Request.Context(), slog.LevelDebug, "request", slog.String("request_id", id),
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()),
			slog.Int("status", c.Writer.Status()), slog.String("remote", c.ClientIP()))
	}
}

// headers sets those of every answer, and returns the request's id.
func headers(c *gin.Context, random ports.Random) string {
	return commonHeaders(c.Writer.Header(), random)
}

func commonHeaders(header http.Header, random ports.Random) string {
	id := requestIDFrom(random)
	header[requestIDHeader] = []string{id}
	header["Cache-Control"] = []string{"no-store"}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	return id
}

func requestIDFrom(random ports.Random) string {
	var seed [10]byte
	random.Fill(seed[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(seed[:]))
}

// recover answers a panic with 500. What it logs has the stack and no header,
// and nothing of the panic's value but its type: see [described].
func (s *front) recover(c *gin.Context) {
	defer func() {
		what := recover()
		if what == nil {
			return
		}
		if err, ok := what.(error); ok && err == http.ErrAbortHandler { //nolint:errorlint // documented to be this very value
			panic(what)
		}
		s.log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.String("request_id", requestID(c)),
			slog.String("panic", described(what)), slog.String("stack", string(debug.Stack())))
		c.Abort()
		if !c.Writer.Written() {
			s.failPanicked(c)
		}
	}()
	c.Next()
}

// failPanicked records the failure and answers it. Where the auditor is what
// panics, it is answered all the same.
func (s *front) failPanicked(c *gin.Context) {
	internal := &failure{kind: kindInternal}
	defer func() {
		if recover() != nil {
			answerProblem(c, internal)
		}
	}()
	s.refuse(c, app.Actor{}, app.Refusal{Action: audit.ActionRequest}, internal)
}

// described is what may be logged of a panic's value, which can hold anything:
// its type, or the text of the runtime's own, which names types and indices.
func described(what any) string {
	if err, ok := what.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", what)
}

func requestID(c *gin.Context) string {
	if id := c.Writer.Header()[requestIDHeader]; len(id) == 1 {
		return id[0]
	}
	return ""
}

// call is what the use-cases record of where a request came from.
func call(c *gin.Context) app.Call {
	remote := c.ClientIP()
	if _, err := netip.ParseAddr(remote); err != nil { // a unix socket: its peer has none
		remote = ""
	}
	return app.Call{RequestID: requestID(c), Remote: remote}
}
