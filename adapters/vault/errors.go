package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"embedseal/ports"
)

// failure is a call that Vault refused, or that brought no answer of Vault's.
// It wraps one sentinel of ports. No text of it came over the network, but for
// those of a closed list: what answers there may repeat what it was sent, the
// token among it.
type failure struct {
	kind   error
	where  string
	text   string
	status int
	// untouched: it is certain that the call changed nothing.
	untouched bool
	// elsewhere: another server may do better.
	elsewhere bool
	// lostRace: the check-and-set parameter did not match.
	lostRace bool
	// badToken: Vault refuses the token, and not what it was asked for.
	badToken bool
	// login: it was asked to log in.
	login bool
}

func (f *failure) Error() string { return f.where + " " + f.text + ": " + f.kind.Error() }

func (f *failure) Unwrap() error { return f.kind }

// untouched reports whether err says for certain that nothing was changed.
func untouched(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.untouched
}

// readOnly is the refusal of a write by the policies of a token that is good.
func readOnly(err error) error {
	var f *failure
	if !errors.As(err, &f) || !f.byPolicy() {
		return err
	}
	told := *f
	told.kind = ports.ErrReadOnly
	return &told
}

// byPolicy reports whether the token is good and its policies do not allow what
// was asked.
func (f *failure) byPolicy() bool {
	return f.status == http.StatusForbidden && !f.badToken && !f.login
}

// phrases are the texts of Vault's that an error may repeat, the more telling
// first.
func phrases() []string {
	return []string{
		"Vault is sealed", "invalid token", "permission denied", "preflight capability check returned 403",
		"check-and-set parameter did not match the current version",
		"leadership lost", "local node not active", "no handler for route", "unsupported path", "unsupported operation",
		"quota exceeded", "request body too large", "missing secret_id", "missing secret id", "missing role_id", "invalid role or secret ID", "invalid role ID", "invalid role name",
		"service account name not authorized", "namespace not authorized", "invalid certificate or no client certificate supplied",
		"no chain matching all constraints could be found for this login certificate", "missing client token",
		"encryption key not found", "deletion is not allowed for this key", "lease is not renewable",
	}
}

// told finds the phrase in what Vault answered.
func told(answers []string) string {
	all := strings.Join(answers, "\n")
	for _, p := range phrases() {
		if strings.Contains(all, p) {
			return p
		}
	}
	return ""
}

// deniedByPolicy reports whether the token is good and its policies do not
// allow what was asked: another log-in would not help. A token that is bad or
// has expired is answered with two errors, or without a count.
func deniedByPolicy(answers []string) bool {
	all := strings.Join(answers, "\n")
	return strings.HasPrefix(all, "1 error occurred:") || strings.HasPrefix(all, "preflight capability check returned 403")
}

// refused translates a status that is no success.
func refused(where string, status int, answers []string) *failure {
	phrase := told(answers)
	f := &failure{kind: ports.ErrUnavailable, where: where, status: status, text: "answered " + http.StatusText(status)}
	if phrase != "" {
		f.text += " (" + phrase + ")"
	}
	switch status {
	case http.StatusBadRequest:
		f.untouched = true
		f.lostRace = phrase == "check-and-set parameter did not match the current version"
	case http.StatusForbidden:
		f.kind, f.untouched = ports.ErrDenied, true
		f.badToken = !deniedByPolicy(answers)
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		f.untouched = true
	case http.StatusServiceUnavailable:
		f.elsewhere = true
		if phrase == "Vault is sealed" {
			f.kind = ports.ErrSealed
		}
	default:
		f.elsewhere = true
		if status == 472 || status == 473 {
			f.text = "answered as a standby that cannot pass the request on"
		}
	}
	return f
}

// broken translates what came instead of an answer.
func broken(where string, err error) *failure {
	f := &failure{kind: ports.ErrUnavailable, where: where, elsewhere: true}
	var api *vaultapi.ResponseError
	if errors.As(err, &api) {
		if api.RawError { // of something in front of Vault, or not Vault at all
			f.text = "answered " + http.StatusText(api.StatusCode) + " in a way that is not Vault's"
			if api.StatusCode == http.StatusBadRequest && strings.HasPrefix(where, "http://") {
				f.text += "; if it speaks TLS the address must begin with https"
			}
			return f
		}
		return refused(where, api.StatusCode, api.Errors)
	}
	var away *redirected
	var unsent *unsentError
	f.untouched = errors.As(err, &unsent)
	switch {
	case errors.As(err, &away):
		f.text = away.Error()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		f.text = "did not answer in time"
	case errors.Is(err, context.Canceled):
		f.text = "was not waited for"
	case unsent != nil:
		f.text = "cannot be reached: " + reason(err)
	default:
		f.text = "gave no answer that is Vault's"
	}
	return f
}

// notVault is an answer that does not look like one of Vault's.
func notVault() *failure { return broken("the server", errNotVault) }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// reason says why there is no connection, in texts of this side only.
func reason(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	var plain tls.RecordHeaderError
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority"
	case errors.As(err, &host):
		return "its certificate is for another name"
	case errors.As(err, &invalid):
		return "its certificate is not valid now, or not for this use"
	case errors.As(err, &alert):
		return "it refuses the TLS handshake (" + alert.Error() + ")"
	case errors.As(err, &plain):
		return "it does not speak TLS; if that is right the address must begin with http"
	case errors.As(err, &dns):
		return "its name cannot be resolved"
	case errors.As(err, &op):
		return op.Op + " failed: " + op.Err.Error()
	}
	return "the handshake failed"
}

// worse picks what to report of two failures at two servers: a sealed Vault
// tells more than one that is not there.
func worse(a, b *failure) *failure {
	rank := []error{ports.ErrSealed, ports.ErrDenied}
	of := func(f *failure) int {
		return slices.IndexFunc(rank, func(k error) bool { return errors.Is(f.kind, k) })
	}
	if a != nil && of(a) >= 0 && of(b) < 0 {
		return a
	}
	return b
}
