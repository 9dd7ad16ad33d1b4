package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"embedseal/domain/secret"
)

// Config says where Vault is and how to speak with it. A zero value takes its
// default.
type Config struct {
	// Addresses are tried in turn, such as https://vault-0.example:8200. A
	// redirect is followed to one of them only.
	Addresses []string
	// Namespace is of Vault Enterprise.
	Namespace string
	// Mount is where the KV v2 engine is ("secret"), and Prefix the folder in it
	// ("embedseal").
	Mount, Prefix string
	// TransitMount is where the Transit engine is ("transit").
	TransitMount string
	Auth         AuthConfig
	TLS          TLSConfig
	// AllowHTTP permits plain http to an address that is not loopback.
	AllowHTTP bool
	// RequireAtStart makes Open fail when Vault cannot be reached.
	RequireAtStart bool
	// UsesTransit makes Check look at the Transit engine too.
	UsesTransit bool
	// TryTimeout limits one request (2 s), CallTimeout all that is done for one
	// call of a store, a cipher or a custody, and for one log-in (2.9 s, so that
	// the answer is given within three).
	TryTimeout, CallTimeout time.Duration
	// OrphanAfter is how old a Transit key that is in no ring, or a page of revocations
	// that no group lists, must be before [Backend.Doctor] names it (a minute): it is
	// made before it is listed.
	OrphanAfter time.Duration
	// Log is told of log-ins; nil is told nothing.
	Log *slog.Logger
}

// The ways to authenticate.
const (
	MethodToken      = "token"
	MethodAppRole    = "approle"
	MethodKubernetes = "kubernetes"
	MethodCert       = "cert"
	MethodAgent      = "agent"
)

// AuthConfig says who this service is to Vault. Files are read again on every
// log-in.
type AuthConfig struct {
	// Method is one of the constants above.
	Method string
	// Mount is where the auth method is; its name by default.
	Mount string
	// Role is that of kubernetes, or the name of the certificate role for cert,
	// where it may be empty.
	Role string
	// Token or TokenFile is for the method token.
	Token     secret.Text
	TokenFile string
	// RoleID and SecretID or SecretIDFile are for approle; some roles need no
	// secret id.
	RoleID       string
	SecretID     secret.Text
	SecretIDFile string
	// JWTFile is the service account's token, for kubernetes.
	JWTFile string
	// SinkFile is where a Vault Agent writes its token, unwrapped, for agent.
	SinkFile string
}

// TLSConfig says who Vault is to this service.
type TLSConfig struct {
	// CAFile holds the certificates that sign Vault's; empty means those of the
	// system.
	CAFile string
	// CertFile and KeyFile are this service's own certificate.
	CertFile, KeyFile string
	// ServerName is the name that Vault's certificate must have, if it is not
	// the host of the address.
	ServerName string
}

// ErrConfig is wrapped by every refusal of a configuration, of the environment
// and of the files that it names.
var ErrConfig = errors.New("invalid configuration")

// serviceAccountToken is where Kubernetes puts the token of a pod.
const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // the name of a file

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&c.Mount, "secret")
	set(&c.Prefix, "embedseal")
	set(&c.TransitMount, "transit")
	set(&c.Auth.Mount, c.Auth.Method)
	if c.Auth.Method == MethodKubernetes {
		set(&c.Auth.JWTFile, serviceAccountToken)
	}
	if c.TryTimeout <= 0 {
		c.TryTimeout = 2 * time.Second
	}
	if c.CallTimeout <= 0 {
		c.CallTimeout = 2900 * time.Millisecond
	}
	if c.OrphanAfter <= 0 {
		c.OrphanAfter = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// check refuses what cannot work, and what would be unsafe.
func (c Config) check() error {
	if v := os.Getenv("VAULT_SKIP_VERIFY"); v != "" {
		return fmt.Errorf("%w: VAULT_SKIP_VERIFY is set in the environment: certificates are always verified here; unset it and name the signer with a CA file", ErrConfig)
	}
	for _, p := range []struct{ name, value string }{
		{"mount", c.Mount}, {"prefix", c.Prefix}, {"transit mount", c.TransitMount}, {"auth mount", c.Auth.Mount},
	} {
		if err := checkPath(p.value); err != nil {
			return fmt.Errorf("%w: the %s %.50q %w", ErrConfig, p.name, p.value, err)
		}
	}
	if c.Namespace != "" {
		if err := checkPath(strings.TrimSuffix(c.Namespace, "/")); err != nil {
			return fmt.Errorf("%w: the namespace %.50q %w", ErrConfig, c.Namespace, err)
		}
	}
	return c.Auth.check()
}

func (a AuthConfig) check() error {
	missing := func(what string) error {
		return fmt.Errorf("%w: the auth method %s needs %s", ErrConfig, a.Method, what)
	}
	switch a.Method {
	case MethodToken:
		if a.Token.IsZero() == (a.TokenFile == "") {
			return missing("either a token or a token file")
		}
	case MethodAppRole:
		if a.RoleID == "" {
			return missing("a role id")
		}
		if !a.SecretID.IsZero() && a.SecretIDFile != "" {
			return missing("a secret id or a secret id file, not both")
		}
	case MethodKubernetes:
		if a.Role == "" {
			return missing("a role")
		}
	case MethodCert:
	case MethodAgent:
		if a.SinkFile == "" {
			return missing("a sink file")
		}
	default:
		return fmt.Errorf("%w: the auth method %.20q is none of token, approle, kubernetes, cert and agent", ErrConfig, a.Method)
	}
	return nil
}

// ParsePath refuses what is not the name of a mount or of a folder in one.
func ParsePath(p string) (string, error) { return p, checkPath(p) }

// checkPath lets through what stands in a path of Vault as it is.
func checkPath(p string) error {
	for segment := range strings.SplitSeq(p, "/") {
		ok := segment != "" && segment != "." && segment != ".." && len(segment) <= 128
		for _, r := range segment {
			ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
		}
		if !ok {
			return errors.New("is not made of A-Z, a-z, 0-9, '.', '_' and '-', with single slashes in between")
		}
	}
	return nil
}
