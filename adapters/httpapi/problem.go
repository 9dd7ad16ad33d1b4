package httpapi

import (
	"context"
	"errors"
	"net/http"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/revocation"
	"embedseal/domain/strictjson"
	"embedseal/domain/token"
	"embedseal/ports"
)

// kind is the public half of a failure: its stable code and what goes with it.
type kind struct {
	code   string
	status int
	title  string
	// detail is the answer's `detail` when the failure has nothing more exact
	// to say that may be said.
	detail string
}

// The kinds of problems, all of them. docs/errors.md is checked against
// [kinds].
var (
	kindSyntax      = kind{"malformed_json", http.StatusBadRequest, "Malformed JSON", "the body is not well-formed JSON"}
	kindUTF8        = kind{"invalid_utf8", http.StatusBadRequest, "Invalid UTF-8", "the body is not valid UTF-8, or escapes half of a surrogate pair"}
	kindNotObject   = kind{"not_an_object", http.StatusBadRequest, "Not an object", "the body must be one JSON object"}
	kindDuplicate   = kind{"duplicate_member", http.StatusBadRequest, "Duplicate member", "a member of the body stands there twice"}
	kindTrailing    = kind{"trailing_data", http.StatusBadRequest, "Trailing data", "something follows the JSON object"}
	kindUnreadable  = kind{"unreadable_body", http.StatusBadRequest, "Unreadable body", "the body ended early or did not come in time"}
	kindQuery       = kind{"invalid_query", http.StatusBadRequest, "Invalid query", "the query of the address cannot be read"}
	kindInvalid     = kind{"invalid_request", http.StatusBadRequest, "Invalid request", "one or more fields are wrong; see errors"}
	kindNoToken     = kind{"unauthenticated", http.StatusUnauthorized, "Unauthenticated", "a valid API token is required: send the header 'Explo-Authorization: Token <token>' or 'Authorization: Bearer <token>'"}
	kindScope       = kind{"insufficient_scope", http.StatusForbidden, "Insufficient scope", "the API token may not do this"}
	kindBrowser     = kind{"browser_refused", http.StatusForbidden, "Browser refused", "this request was sent by a browser; mint on your server, so that the API token never reaches a page"}
	kindRefused     = kind{"embed_refused", http.StatusForbidden, "Refused", "this request may not pass"}
	kindPolicy      = kind{"policy_refused", http.StatusForbidden, "Refused by policy", "the group's policy refuses the request; see errors"}
	kindNotFound    = kind{"not_found", http.StatusNotFound, "Not found", "there is nothing at this path"}
	kindUnknownKey  = kind{"unknown_key", http.StatusNotFound, "Unknown key", "no such key_id in this group"}
	kindMethod      = kind{"method_not_allowed", http.StatusMethodNotAllowed, "Method not allowed", "this path does not take this method; see Allow"}
	kindKeyInactive = kind{"key_not_active", http.StatusConflict, "Key not active", "this key no longer makes new tokens; use another key_id or none"}
	kindNoDefault   = kind{"no_default_key", http.StatusConflict, "No default key", "the group has no default key and none could be made; name a key_id"}
	kindConflict    = kind{"conflict", http.StatusConflict, "Conflict", "others changed the same record at the same time; try again"}
	kindGroupExists = kind{"group_exists", http.StatusConflict, "Group exists", "there is a group of this id"}
	kindKeyExists   = kind{"key_exists", http.StatusConflict, "Key exists", "the group has, or had, a key of this id"}
	kindGroupInUse  = kind{"group_in_use", http.StatusConflict, "Group in use", "the group has keys that can still open tokens; force=true deletes it all the same"}
	kindKeyPinned   = kind{"key_is_pinned", http.StatusConflict, "Key is pinned", "the group's policy pins the default key, so a new one would seal nothing; take pinned_key out of the policy first"}
	kindKeyDefault  = kind{"key_is_default", http.StatusConflict, "Key is default", "this is the group's default key; rotate, or set another default, first"}
	kindKeyState    = kind{"key_state", http.StatusConflict, "Key state", "this does not begin from the state that the key is in"}
	kindNotSafe     = kind{"not_safe_to_destroy", http.StatusConflict, "Not safe to destroy", "a token that the key sealed may still be good; see safe_to_destroy_at, or send force=true"}
	kindReplay      = kind{"idempotency_conflict", http.StatusConflict, "Idempotency conflict", "this Idempotency-Key was used before, for another request"}
	kindNoExport    = kind{"not_exportable", http.StatusConflict, "Not exportable", "the material of this key never leaves its custody"}
	kindLimit       = kind{"limit_reached", http.StatusConflict, "Limit reached", "the group holds as many of these as it may"}
	kindTag         = kind{"precondition_failed", http.StatusPreconditionFailed, "Precondition failed", "this has changed since it was read; read it again"}
	kindTooLarge    = kind{"body_too_large", http.StatusRequestEntityTooLarge, "Body too large", "the body is larger than this path takes"}
	kindMediaType   = kind{"unsupported_media_type", http.StatusUnsupportedMediaType, "Unsupported media type", "send Content-Type: application/json, in UTF-8 and not compressed"}
	kindRate        = kind{"rate_limited", http.StatusTooManyRequests, "Too many requests", "slow down; see Retry-After"}
	kindInternal    = kind{"internal_error", http.StatusInternalServerError, "Internal error", "something went wrong here; the log has it under this request_id"}
	kindUnavailable = kind{"store_unavailable", http.StatusServiceUnavailable, "Store unavailable", "the key store cannot be asked now; try again"}
	kindSealed      = kind{"store_sealed", http.StatusServiceUnavailable, "Store sealed", "the key store is sealed; its operator must open it"}
	kindDenied      = kind{"store_denied", http.StatusServiceUnavailable, "Store denied", "the key store refuses this service's own credentials"}
	kindCorrupt     = kind{"store_unreadable", http.StatusServiceUnavailable, "Store unreadable", "a stored record is damaged or sealed under another master key; the operator must look at the log"}
	kindUnknown     = kind{"outcome_unknown", http.StatusServiceUnavailable, "Outcome unknown", "the store did not say whether it wrote; a mint may be tried again, and before a change is sent again look at what there is"}
	kindCustody     = kind{"custody_unavailable", http.StatusServiceUnavailable, "Custody unavailable", "the key's material cannot be used from here"}
	kindAudit       = kind{"audit_unavailable", http.StatusServiceUnavailable, "Audit unavailable", "the audit record could not be written, so nothing was done; try again"}
	kindUnrecorded  = kind{"outcome_unrecorded", http.StatusServiceUnavailable, "Outcome unrecorded", "it was done, and the audit log could not be told so; do not try again before looking"}
	kindTimeout     = kind{"timeout", http.StatusServiceUnavailable, "Timeout", "the request was given up before it was done"}
	kindOverloaded  = kind{"overloaded", http.StatusServiceUnavailable, "Overloaded", "more is asked of this server than it can answer in time; see Retry-After"}
)

// kinds lists every kind, in the order of their status.
func kinds() []kind {
	return []kind{
		kindSyntax, kindUTF8, kindNotObject, kindDuplicate, kindTrailing, kindUnreadable, kindQuery, kindInvalid,
		kindNoToken, kindScope, kindBrowser, kindRefused, kindPolicy, kindNotFound, kindUnknownKey, kindMethod,
		kindKeyInactive, kindNoDefault, kindConflict,
		kindGroupExists, kindKeyExists, kindGroupInUse, kindKeyDefault, kindKeyPinned, kindKeyState, kindNotSafe, kindReplay, kindNoExport, kindLimit,
		kindTag, kindTooLarge, kindMediaType, kindRate,
		kindInternal, kindUnavailable, kindSealed, kindDenied, kindCorrupt, kindUnknown, kindCustody,
		kindAudit, kindUnrecorded, kindTimeout, kindOverloaded,
	}
}

// translations says what each error of the inner layers is to the outside. The
// first that matches counts, so an error stands before those it wraps.
func translations() []translation {
	return []translation{
		{app.ErrAudit, kindAudit},
		{app.ErrUnrecorded, kindUnrecorded},
		{app.ErrUnauthenticated, kindNoToken},
		{app.ErrScope, kindScope},
		{app.ErrTag, kindTag},
		{app.ErrGroupInUse, kindGroupInUse},
		{app.ErrNotExportable, kindNoExport},
		{replay.ErrOther, kindReplay},
		{ports.ErrNotFound, kindNotFound},
		{ports.ErrExists, kindGroupExists},
		{group.ErrUnknownToken, kindNotFound},
		{group.ErrFull, kindLimit},
		{revocation.ErrFull, kindLimit},
		{key.ErrTaken, kindKeyExists},
		{key.ErrFull, kindLimit},
		{key.ErrIsDefault, kindKeyDefault},
		{app.ErrRotatesPinned, kindKeyPinned},
		{key.ErrState, kindKeyState},
		{key.ErrNotSafe, kindNotSafe},
		{key.ErrUnknown, kindUnknownKey},
		{key.ErrNotActive, kindKeyInactive},
		{key.ErrNoDefault, kindNoDefault},
		{strictjson.ErrDuplicate, kindDuplicate},
		{strictjson.ErrTrailing, kindTrailing},
		{strictjson.ErrUTF8, kindUTF8},
		{strictjson.ErrNotObject, kindNotObject},
		{strictjson.ErrDepth, kindSyntax},
		{strictjson.ErrSyntax, kindSyntax},
		{ports.ErrCustodyUnavailable, kindCustody},
		{ports.ErrSealed, kindSealed},
		{ports.ErrDenied, kindDenied},
		{ports.ErrCorrupt, kindCorrupt},
		{ports.ErrUnknownOutcome, kindUnknown},
		{ports.ErrConflict, kindConflict},
		{ports.ErrCustody, kindCustody},
		{ports.ErrUnavailable, kindUnavailable},
		{context.Canceled, kindTimeout},
		{context.DeadlineExceeded, kindTimeout},
	}
}

type translation struct {
	err  error
	kind kind
}

// failure is an error on its way to an answer: the public half in kind, detail
// and faults, the private half in err, which only the log sees.
type failure struct {
	kind   kind
	detail string
	faults []token.Fault
	err    error
	// counted is who caused it, where one record stands for many: a flood must not
	// fill the audit log.
	counted string
	// recorded is the code of the record, where the answer may not say as much.
	recorded string
}

// code is what the failure is recorded as.
func (f *failure) code() string {
	if f.recorded != "" {
		return f.recorded
	}
	return f.kind.code
}

// Error implements error.
func (f *failure) Error() string {
	if f.err != nil {
		return f.kind.code + ": " + f.err.Error()
	}
	return f.kind.code
}

// Unwrap gives the private half.
func (f *failure) Unwrap() error { return f.err }

// translate is the one place where an error of the inner layers becomes an
// answer.
func translate(err error) *failure {
	var done *failure
	if errors.As(err, &done) {
		return done
	}
	var invalid *token.Invalid
	if errors.As(err, &invalid) {
		return &failure{kind: kindInvalid, faults: invalid.Faults, err: err}
	}
	var rules *policy.Invalid
	if errors.As(err, &rules) {
		return &failure{kind: kindInvalid, faults: rules.Faults, err: err}
	}
	var refusal *policy.Refusal
	if errors.As(err, &refusal) {
		return &failure{kind: kindPolicy, faults: refusal.Broken, err: err}
	}
	if errors.Is(err, app.ErrPinned) { // which key that is, was not the caller's choice
		return &failure{kind: kindKeyInactive, detail: "the key that the policy pins makes no new tokens; ask who governs the group", err: err}
	}
	var lacking *app.LackingError
	if errors.As(err, &lacking) {
		return &failure{kind: kindScope, detail: "the token that was presented lacks the scope " + lacking.Lacks.String(), err: err}
	}
	for _, t := range translations() {
		if errors.Is(err, t.err) {
			return &failure{kind: t.kind, err: err}
		}
	}
	// What the edge let pass, and a constructor further in did not.
	for _, invalid := range []error{group.ErrInvalid, key.ErrInvalid, apitoken.ErrInvalid, revocation.ErrInvalid, iso8601.ErrOverflow} {
		if errors.Is(err, invalid) {
			return &failure{kind: kindInvalid, faults: []token.Fault{{Field: notShown, Code: token.FaultMalformed, Detail: invalid.Error()}}, err: err}
		}
	}
	return &failure{kind: kindInternal, err: err}
}

// CodeOf is the stable code that err is answered with, for the audit log: an
// app.Coder.
func CodeOf(err error) string { return translate(ofPath(err)).kind.code }

// ofPath is err where keys are named by the path, and not by a member of the body:
// a path with an unknown one leads nowhere.
func ofPath(err error) error {
	if errors.Is(err, key.ErrUnknown) {
		return &failure{kind: kindNotFound, err: err}
	}
	return err
}
