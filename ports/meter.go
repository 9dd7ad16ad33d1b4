package ports

import "time"

// Meter counts what a process answers, for whoever watches it. It never fails,
// and returns at once.
type Meter interface {
	// Answered is told of each answer to a request for tokens: the `code` of its
	// problem, "granted", or "dry_run", and how long it took; of a batch, of each item.
	// It is safe for concurrent use.
	Answered(code string, took time.Duration)
	// Verified is told of each answer to a token that was presented: "active", the
	// reason why it is not good (see domain/verdict), or the `code` of its problem, and
	// how long it took. It is safe for concurrent use.
	Verified(code string, took time.Duration)
	// Forwarded is told of each answer to a proxy that asks whether a request may
	// pass: "granted", why it may not (the reason of a verdict, or no_embed_token,
	// unclear_embed_token, insufficient_scope), or the `code` of its problem, and how
	// long it took. It is safe for concurrent use.
	Forwarded(outcome string, took time.Duration)
	// Administered is told of each answer of the administration API: the template
	// of its route ("/admin/v1/groups/{group}"; empty where none matched, never the
	// path that was asked for), the HTTP status, and how long it took. It is safe for
	// concurrent use.
	Administered(route string, status int, took time.Duration)
}
