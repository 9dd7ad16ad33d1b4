package httpapi

import (
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

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
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	return id
}

// lowerBase32 is the alphabet of RFC 4648 section 6 in lower case.
var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

// Values of headers that every answer has, made once: whoever sets another puts
// another slice in their place.
var noStore, noSniff, typeJSON = []string{"no-store"}, []string{"nosniff"}, []string{"application/json"}

func requestIDFrom(random ports.Random) string {
	var seed [10]byte
	random.Fill(seed[:])
	var text [16]byte
	lowerBase32.Encode(text[:], seed[:])
	return string(text[:])
}

// recover answers a panic with 500. What it logs has the stack and no header,
// and nothing of the panic's value but its type: see [described].
func (s *front) recover(c *gin.Context) {
	defer func() {
		what := recover()
		if what == nil {
			return
		}
		s.logPanic(c, what)
		c.Abort()
		if c.Writer.Written() { // half an answer must not look like a whole one
			panic(http.ErrAbortHandler)
		}
		s.failPanicked(c)
	}()
	c.Next()
}

// logPanic logs what a panic left, but for the one that is meant to cut the
// connection: that goes on.
func (s *front) logPanic(c *gin.Context, what any) {
	if err, ok := what.(error); ok && err == http.ErrAbortHandler { //nolint:errorlint // documented to be this very value
		panic(what)
	}
	s.log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.String("request_id", requestID(c)),
		slog.String("panic", described(what)), slog.String("stack", string(debug.Stack())))
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
	from := ""
	if addr := remote(c); addr.IsValid() { // the peer of a unix socket has none
		from = addr.String()
	}
	return app.Call{RequestID: requestID(c), Remote: from}
}
