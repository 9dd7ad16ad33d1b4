package vault

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"embedseal/adapters/internal/loopback"
)

// address is where one server of Vault listens.
type address struct {
	// base is the text without a final slash.
	base string
	// origin is scheme, host and port, which may be followed to.
	origin string
}

// parseAddresses refuses an empty list, and plain http to anything but
// loopback unless allowHTTP.
func parseAddresses(list []string, allowHTTP bool) ([]address, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there is no address of Vault", ErrConfig)
	}
	addresses := make([]address, len(list))
	for i, text := range list {
		u, err := parseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("%w: address number %d %w", ErrConfig, i+1, err)
		}
		if !allowHTTP && InClear(text) {
			return nil, fmt.Errorf("%w: the address %s is plain http: tokens and keys would travel in clear; use https, or allow http on purpose", ErrConfig, u.Redacted())
		}
		addresses[i] = address{base: strings.TrimSuffix(u.String(), "/"), origin: origin(u)}
	}
	return addresses, nil
}

func parseAddress(text string) (*url.URL, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		return nil, errors.New("has a comma or a space in it")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		// The text is not repeated: it may hold a password.
		return nil, errors.New("is not an http or https URL of host, port and path")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return nil, errors.New("has no port from 1 to 65535")
	}
	switch strings.Trim(u.Path, "/") {
	case "v1", "ui":
		return nil, errors.New("ends in a path of Vault itself: leave out /v1 and /ui")
	}
	return u, nil
}

// ParseAddress refuses what is not the address of a server. The error does not
// repeat the text.
func ParseAddress(text string) (string, error) {
	_, err := parseAddress(text)
	return text, err
}

// InClear reports whether what is sent to the address could be read on its way:
// it is plain http, and not to loopback.
func InClear(text string) bool {
	u, err := parseAddress(text)
	return err == nil && u.Scheme == "http" && !Loopback(u.Hostname())
}

// Loopback reports whether what is sent to the host stays on this machine. It is
// what [InClear] goes by.
func Loopback(host string) bool { return loopback.Host(host) }

// origin is what two URLs have in common that lead to the same server.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
