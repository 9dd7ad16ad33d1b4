// Package httpapi serves the documented endpoint over HTTP: what comes in is
// turned into calls of the use-cases, and what comes out of them into answers
// of one shape.
package httpapi

import (
	"time"

	"embedseal/domain/token"
)

// MaxBody is the largest request body, in bytes.
const MaxBody = 64 << 10

// MaxBatch is how many tokens one request may ask for, and MaxBatchBody the largest
// body of such a request, in bytes.
const (
	MaxBatch     = 1000
	MaxBatchBody = 4 << 20
)

// Config is the public listener.
type Config struct {
	// Listen is the TCP address, host:port.
	Listen string
	// TrustedProxies are the addresses and CIDRs whose X-Forwarded-For is
	// believed; empty means none is.
	TrustedProxies []string
	// BrowserOrigins may call the minting route from a page. Empty means that
	// every request a browser sent is refused.
	BrowserOrigins []token.Origin

	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// ShutdownTimeout is how long requests under way may take to finish after
	// the server was told to stop.
	ShutdownTimeout time.Duration
	// MaxWait is how long a request may have waited for this server to read it,
	// while more is asked than it can answer; later ones are refused. 0 refuses none.
	MaxWait time.Duration

	Rate RateConfig
}

// RateConfig bounds requests. The zero value bounds nothing.
type RateConfig struct {
	Enabled bool
	// TokenPerSecond and TokenBurst bound each API token.
	TokenPerSecond float64
	TokenBurst     int
	// FailurePerSecond and FailureBurst bound the requests of each peer address
	// that fail to authenticate.
	FailurePerSecond float64
	FailureBurst     int
}
