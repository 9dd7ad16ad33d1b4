package httpapi

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/token"
)

// The parameters of a search.
const (
	paramGroup       = "group"
	paramAction      = "action"
	paramOutcome     = "outcome"
	paramSince       = "since"
	paramUntil       = "until"
	paramCustomer    = "customer"
	paramEmbed       = "embed"
	paramTokenID     = "token_id"
	paramKeyID       = "key_id"
	paramFingerprint = "fingerprint"
	paramRequestID   = "request_id"
	paramLast        = "last"
)

func searchParameters() []string {
	return []string{
		paramGroup, paramAction, paramOutcome, paramSince, paramUntil, paramCustomer, paramEmbed, paramTokenID, paramKeyID,
		paramFingerprint, paramRequestID, paramLast, paramLimit, paramAfter,
	}
}

// searchAudit is GET /admin/v1/audit/records.
func (a *Admin) searchAudit(x *exchange) (reply, error) {
	f := emptyForm()
	q, w := x.search(f), x.window(f)
	if err := f.faulty(); err != nil {
		return reply{}, err
	}
	x.patient()
	found, err := a.use.Auditing.Search(x.Request.Context(), x.by, q, w)
	if err != nil {
		return reply{}, err
	}
	out := page[json.RawMessage]{Items: make([]json.RawMessage, len(found.Lines))}
	for i, line := range found.Lines {
		out.Items[i] = line
	}
	if found.Next != 0 {
		out.Next = new(strconv.FormatUint(found.Next, 10))
	}
	return reply{body: out}, nil
}

// search reads what is looked for.
func (x *exchange) search(f *form) audit.Query {
	q := audit.Query{
		Group: x.query.Get(paramGroup), Action: audit.Action(x.query.Get(paramAction)), Outcome: audit.Outcome(x.query.Get(paramOutcome)),
		Customer: x.query.Get(paramCustomer), Embed: x.query.Get(paramEmbed),
		TokenID: x.query.Get(paramTokenID), KeyID: x.query.Get(paramKeyID),
		Fingerprint: x.query.Get(paramFingerprint), RequestID: x.query.Get(paramRequestID),
		Since: x.instant(f, paramSince), Until: x.instant(f, paramUntil),
	}
	if q.Action != "" && !q.Action.Known() {
		f.fault(paramAction, token.FaultUnknown, "there is no such action; known are "+listed(audit.Actions()))
	}
	if q.Outcome != "" && !q.Outcome.Known() {
		f.fault(paramOutcome, token.FaultUnknown, "there is no such outcome; known are "+listed(audit.Outcomes()))
	}
	return q
}

// listed is words in a sentence.
func listed[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// patience is how long an answer may take that reads the whole log.
const patience = 10 * time.Minute

// patient gives the answer more time than others have.
func (x *exchange) patient() {
	_ = http.NewResponseController(x.Writer).SetWriteDeadline(time.Now().Add(patience)) // or it has the time of others
}

// instant is a parameter that is a time; zero when it is not given.
func (x *exchange) instant(f *form, name string) time.Time {
	text := x.query.Get(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || len(text) > maxTime {
		f.fault(name, token.FaultMalformed, notATime)
	}
	return t.UTC()
}

// window reads which of what is found is wanted.
func (x *exchange) window(f *form) audit.Window {
	w := audit.Window{Limit: x.number(f, paramLimit, app.DefaultPage, audit.MaxPage)}
	if _, given := x.query[paramLast]; given {
		w.Last, w.Limit = true, x.number(f, paramLast, 0, audit.MaxPage)
		for _, other := range []string{paramLimit, paramAfter} {
			if _, given := x.query[other]; given {
				f.fault(other, token.FaultMalformed, "last is given, too; keep one of them")
			}
		}
	}
	if text, given := x.query[paramAfter]; given {
		after, err := strconv.ParseUint(text[0], 10, 64)
		if err != nil || strconv.FormatUint(after, 10) != text[0] {
			f.fault(paramAfter, token.FaultMalformed, "must be the next of a page before")
		}
		w.After = after
	}
	return w
}

type findingView struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Seq    uint64 `json:"seq"`
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

type verifiedView struct {
	OK       bool          `json:"ok"`
	Records  uint64        `json:"records"`
	Findings []findingView `json:"findings"`
}

// verifyAudit is POST /admin/v1/audit/verify.
func (a *Admin) verifyAudit(x *exchange) (reply, error) {
	f, err := x.optionalForm()
	if err != nil {
		return reply{}, err
	}
	if err := f.faulty(); err != nil {
		return reply{}, err
	}
	x.patient()
	report, err := a.use.Auditing.Verify(x.Request.Context(), x.call, x.by)
	if err != nil {
		return reply{}, err
	}
	out := verifiedView{OK: report.OK(), Records: report.Records, Findings: make([]findingView, len(report.Findings))}
	for i, found := range report.Findings {
		out.Findings[i] = findingView{File: found.File, Line: found.Line, Seq: found.Seq, Kind: string(found.Kind), Detail: found.Detail}
	}
	return reply{body: out}, nil
}

type auditKeyView struct {
	Log string `json:"log"`
	Key string `json:"key"`
}

// auditKey is GET /admin/v1/audit/key.
func (a *Admin) auditKey(x *exchange) (reply, error) {
	k, err := a.use.Auditing.Key(x.Request.Context(), x.call, x.by)
	if err != nil {
		return reply{}, err
	}
	return reply{body: auditKeyView{Log: k.Log, Key: hex.EncodeToString([]byte(k.Key.Reveal()))}}, nil
}
