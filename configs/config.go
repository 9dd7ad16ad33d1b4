// Package configs answers: with which settings does this process run, and where
// did each of them come from?
//
// [Keys] is the one table. The documentation, the names of flags and of
// environment variables, what is allowed and what is shown all come from it.
package configs

import (
	"log/slog"
	"net/netip"
	"time"

	"embedseal/adapters/vault"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// Config is what [Load] read: every value is valid and no two contradict.
type Config struct {
	// File is the configuration file that was read; empty when there was none.
	File string

	// Store is bbolt, file, memory or vault.
	Store string
	// Custody is where the material of new keys is kept.
	Custody key.Custody
	// DataDir is never empty.
	DataDir string
	// MasterKey is zero when neither the key nor a file of it was given.
	MasterKey secret.Text
	// MasterKeyFile is the file that MasterKey was read from; it is empty when
	// nobody named one.
	MasterKeyFile string

	// Vault is complete when Store is vault. Where a secret has a file, both are
	// set.
	Vault      vault.Config
	Cache      Cache
	HTTP       HTTP
	Ops        Ops
	Admin      Admin
	Rate       Rate
	Audit      Audit
	ChartClaim token.ChartClaim
	// Leeway is how far ahead the clock of whoever minted a token may be.
	Leeway time.Duration
	Log    Log
	Client Client

	// Warnings are sentences for the operator about what is allowed but unwise.
	Warnings []string

	settings []Setting
}

// HTTP is the public listener.
type HTTP struct {
	// Listen is host:port; the host may be empty (every interface), the port
	// may be 0 (any free one).
	Listen string
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// BrowserOrigins are the origins whose pages may call the minting route.
	BrowserOrigins []token.Origin

	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout, ShutdownTimeout time.Duration
	// MaxWait is how long a request may have waited when more is asked than can be
	// answered; 0 is without a bound.
	MaxWait time.Duration
}

// Cache says how old an answer of a store that others write to may be when it
// is given again.
type Cache struct{ FreshFor, Grace time.Duration }

// Ops is the operations listener.
type Ops struct {
	// Listen is host:port, or empty for none.
	Listen string
}

// Admin is the administration listeners.
type Admin struct {
	// Socket is empty for the default in the data directory, "-" for none.
	Socket string
	// Listen is host:port on loopback, or empty for none.
	Listen string
	// OperatorToken is zero when neither the token nor a file of it was given.
	OperatorToken secret.Text
	// OperatorTokenFile is the file that OperatorToken was read from; it is empty
	// when nobody named one.
	OperatorTokenFile string
	// OperatorReveal lets the operator token see the values of embed secrets.
	OperatorReveal bool
}

// Rate holds the limits for API tokens and for the addresses of peers that fail
// to authenticate, in requests per second and requests at once.
type Rate struct {
	Enabled          bool
	TokenPerSecond   float64
	TokenBurst       int
	FailurePerSecond float64
	FailureBurst     int
}

// Audit says where the audit log goes.
type Audit struct {
	// Path is empty for the default in the data directory, "-" for standard
	// error.
	Path string
	// Name is empty for the default of the store.
	Name string
	// MaxBytes is the size from which on a new file is begun, Keep how many full
	// ones are kept; 0 keeps all.
	MaxBytes int64
	Keep     int
}

// Log is the log of the process, which is not the audit log.
type Log struct {
	Level slog.Level
	// Format is text or json.
	Format string
}

// Client is what the verbs that ask a running server use.
type Client struct {
	// Server is the base URL, without a trailing slash.
	Server string
	// APIToken is zero when neither the token nor a file of it was given.
	APIToken secret.Text
	// APITokenFile is the file that APIToken was read from; it is empty when
	// nobody named one.
	APITokenFile string

	// AdminServer is the base URL of the administration listener, without a
	// trailing slash; empty means the unix socket.
	AdminServer string
	// OperatorToken is zero when neither the token nor a file of it was given.
	OperatorToken secret.Text
	// OperatorTokenFile is the file that OperatorToken was read from; it is empty
	// when nobody named one.
	OperatorTokenFile string
}
