package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
)

// mintBatch is POST /api/generate_jwts/. What is refused as a whole is answered like
// a mint; otherwise each item has an answer of its own, and is counted on its own.
func (s *Server) mintBatch(c *gin.Context) {
	begin, code := s.clock.Now(), kindInternal.code // of a panic, which is answered further out
	defer func() {
		if code != "" {
			s.meter.Answered(code, s.clock.Now().Sub(begin))
		}
	}()
	ctx, cancel := s.batchTime(c.Request.Context()) // what the body takes to come is part of it
	defer cancel()
	caller, asked, err := s.acceptBatch(c)
	if err != nil {
		code = s.fail(c, audit.ActionMint, caller, err)
		return
	}
	code = ""
	s.answerBatch(ctx, c, caller, asked)
}

// acceptBatch is what comes before the first item, in the order in which a mint has
// it. Nothing of the body is read before its sender is known, and nothing is made
// before all of it was proved.
func (s *Server) acceptBatch(c *gin.Context) (app.Caller, batch, error) {
	dry, queryErr := dryRun(c.Request.URL.RawQuery)
	if dry {
		queryErr = &failure{kind: kindQuery, detail: "a batch has no dry run; ask for one token at a time"}
	}
	if err := s.refuseBrowser(c); err != nil {
		return app.Caller{}, batch{}, err
	}
	caller, err := s.authenticate(c, apitoken.Mint)
	if err != nil {
		return caller, batch{}, err
	}
	if queryErr != nil {
		return caller, batch{}, queryErr
	}
	body, err := readBodyUpTo(MaxBatchBody, c.Writer, c.Request)
	if err != nil {
		return caller, batch{}, err
	}
	asked, err := decodeBatch(body, s.tokens.most())
	if err != nil {
		return caller, batch{}, err
	}
	// The first was counted when the caller was authenticated.
	n := len(asked.items)
	if wait := s.tokens.takeAll(bucketOf(caller), n-1, n); wait > 0 {
		return caller, batch{}, tooMany(c, wait, nameOf(caller))
	}
	return caller, asked, nil
}

// answerBatch writes the answer to each item as it is made. The status is 200 by
// then, so an answer that cannot be finished is cut off, and no client takes it for
// a whole one.
func (s *Server) answerBatch(ctx context.Context, c *gin.Context, caller app.Caller, asked batch) {
	client := c.Request.Context()
	run := s.minter.Batch(call(c), caller, s.again(c))
	out := stream{w: c.Writer, buffer: make([]byte, 0, streamEvery+streamEvery/8)}
	c.Writer.Header()["Content-Type"] = typeJSON
	out.buffer = append(out.buffer, `{"success": 1, "items": [`...)
	between := "\n"
	for _, text := range asked.items {
		if client.Err() != nil || !out.flushed() { // nobody reads the answer
			panic(http.ErrAbortHandler)
		}
		out.buffer = append(out.buffer, between...)
		out.buffer = s.appendItem(ctx, c, run, asked, text, out.buffer)
		between = ",\n"
	}
	out.buffer = append(out.buffer, "\n]}\n"...)
	out.flush()
}

// batchTime ends with the client, and before http.write_timeout cuts the connection:
// what was not made by then is answered with `timeout`, in an answer that is whole.
func (s *Server) batchTime(client context.Context) (context.Context, context.CancelFunc) {
	if s.cfg.WriteTimeout <= 0 {
		return context.WithCancel(client)
	}
	return context.WithTimeout(client, s.cfg.WriteTimeout-s.cfg.WriteTimeout/5)
}

// again authenticates the same request once more, and counts nothing.
func (s *Server) again(c *gin.Context) func(context.Context) (app.Caller, error) {
	return func(ctx context.Context) (app.Caller, error) {
		text, err := presented(c.Request.Header)
		if err != nil {
			return app.Caller{}, err
		}
		return s.auth.Authenticate(ctx, text, apitoken.Mint, remote(c))
	}
}

// appendItem writes what an answer to the item alone would be.
func (s *Server) appendItem(ctx context.Context, c *gin.Context, run *app.Batch, asked batch, text, dst []byte) []byte {
	begin, code := s.clock.Now(), codeGranted
	minted, err := s.mintItem(ctx, c, run, asked, text)
	if err == nil {
		dst = appendToken(dst, minted)
	} else {
		f := s.settle(c, app.Actor{Caller: run.Caller()}, app.Refusal{Action: audit.ActionMint}, err)
		code, dst = f.kind.code, appendJSON(dst, problemOf(f, requestID(c)))
	}
	s.meter.Answered(code, s.clock.Now().Sub(begin))
	return dst
}

// mintItem makes one token. A panic is a failure of this item and no other.
func (s *Server) mintItem(ctx context.Context, c *gin.Context, run *app.Batch, asked batch, text []byte) (minted app.Minted, err error) {
	defer func() {
		if what := recover(); what != nil {
			s.logPanic(c, what)
			minted, err = app.Minted{}, &failure{kind: kindInternal}
		}
	}()
	draft, err := decodeDraft(text)
	if err != nil {
		return app.Minted{}, ofItem(err)
	}
	return run.Mint(ctx, draft.Or(asked.defaults))
}

// ofItem is what is wrong with a body, said of an item.
func ofItem(err error) error {
	f := *translate(err)
	f.detail = strings.Replace(f.detail, "the body", "the item", 1)
	return &f
}

// streamEvery is how much of an answer is gathered before it is written, in bytes.
const streamEvery = 32 << 10

// stream is an answer that is written in pieces.
type stream struct {
	w      http.ResponseWriter
	buffer []byte
}

// flushed writes what was gathered, if that is much, and reports whether the client
// can be written to.
func (s *stream) flushed() bool { return len(s.buffer) < streamEvery || s.flush() }

func (s *stream) flush() bool {
	_, err := s.w.Write(s.buffer)
	s.buffer = s.buffer[:0]
	return err == nil
}
