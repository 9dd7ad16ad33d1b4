package configs

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"embedseal/adapters/vault"
	"embedseal/domain/key"
)

// contradictions finds values that are right one by one and wrong together. A
// key that is faulty by itself is not compared: its value is not known.
func (l *loader) contradictions(c Config) {
	h := c.HTTP
	l.notMore("http.read_header_timeout", "http.read_timeout", h.ReadHeaderTimeout > h.ReadTimeout,
		"a header cannot take longer than its request")
	l.notMore("http.read_timeout", "http.write_timeout", h.ReadTimeout > h.WriteTimeout,
		"a slow request would get no answer")
	if !l.in.NoStore {
		l.vaultContradictions(c)
		l.adminContradictions(c.Admin)
	}
}

// adminContradictions keeps administration off the network: the listener speaks
// plain HTTP, and tokens and embed secrets pass over it.
func (l *loader) adminContradictions(a Admin) {
	if a.Listen == "" {
		return
	}
	if host, _, err := net.SplitHostPort(a.Listen); err == nil && !vault.Loopback(host) {
		l.refuse("admin.listen", fmt.Sprintf("%s is not loopback: operator tokens and embed secrets would travel in clear; listen on 127.0.0.1 or [::1], behind a proxy with TLS or a tunnel if need be", shown(a.Listen)))
	}
}

// vaultContradictions finds what is missing of Vault, where it is asked for.
func (l *loader) vaultContradictions(c Config) {
	if c.Store != StoreVault {
		if c.Custody == key.VaultTransit && !l.wrong["store"] {
			l.refuse("custody", fmt.Sprintf("%s needs the store vault, and the store is %s (%s)", c.Custody, c.Store, l.source("store")))
		}
		return
	}
	v := c.Vault
	if len(v.Addresses) == 0 {
		l.refuse("vault.addresses", "is empty: the store vault needs the address of a server", "store")
	}
	for i, a := range v.Addresses {
		if vault.InClear(a) && !v.AllowHTTP {
			l.refuse("vault.addresses", fmt.Sprintf("entry %d is plain http to another machine: tokens and keys would travel in clear; use https, or set vault.allow_http", i+1))
		}
	}
	if v.TLS.CertFile == "" != (v.TLS.KeyFile == "") {
		l.refuse("vault.cert_file", "and vault.key_file go together: one of them is empty", "vault.key_file")
	}
	if c.Custody == key.VaultTransit && !vault.FitsTransit(v.Prefix) {
		l.refuse("vault.prefix", "cannot begin the name of a Transit key: it must begin with a letter, a digit or _, and have neither / nor .")
	}
	l.vaultAuthContradictions(v.Auth)
}

// vaultAuthContradictions finds what the method needs and did not get. A secret
// whose file is not read counts as given.
func (l *loader) vaultAuthContradictions(a vault.AuthConfig) {
	needs := func(what string, given bool) {
		if !given {
			l.refuse("vault.auth", a.Method+" needs "+what, "store")
		}
	}
	switch a.Method {
	case vault.MethodToken:
		needs("vault.token or vault.token_file", !a.Token.IsZero() || a.TokenFile != "" || l.wrong["vault.token"])
	case vault.MethodAppRole:
		needs("vault.role_id", a.RoleID != "")
	case vault.MethodKubernetes:
		needs("vault.role", a.Role != "")
	case vault.MethodCert:
		needs("vault.cert_file and vault.key_file", l.merged.String("vault.cert_file") != "" && l.merged.String("vault.key_file") != "")
	case vault.MethodAgent:
		needs("vault.sink_file", a.SinkFile != "")
	}
}

// refuse blames a key whose value is right by itself. Where nobody wrote that, it
// names the place of one of the others, which ask for more.
func (l *loader) refuse(key, detail string, others ...string) {
	if l.wrong[key] {
		return
	}
	source := l.source(key)
	for _, other := range others {
		if source == standard {
			source = l.source(other)
		}
	}
	l.fault(key, source, detail)
}

// notMore blames less, or more when less is a default that nobody wrote.
func (l *loader) notMore(less, more string, broken bool, why string) {
	if !broken || l.wrong[less] || l.wrong[more] {
		return
	}
	at, other, word := less, more, "longer"
	if l.source(less) == standard {
		at, other, word = more, less, "shorter"
	}
	l.fault(at, l.source(at), fmt.Sprintf("%s is %s than %s, which is %s (%s): %s", l.merged.String(at), word,
		other, l.merged.String(other), l.source(other), why))
}

// advice is about what is allowed but unwise.
func (l *loader) advice(c Config) []string {
	var sentences []string
	if u, err := url.Parse(c.Client.Server); err == nil && u.Scheme == "http" && !vault.Loopback(u.Hostname()) {
		sentences = append(sentences, "server: the API token travels unencrypted to another machine; use https")
	}
	if u, err := url.Parse(c.Client.AdminServer); err == nil && u.Scheme == "http" && !vault.Loopback(u.Hostname()) {
		sentences = append(sentences, "admin_server: tokens and embed secrets travel unencrypted to another machine; use https")
	}
	if l.in.NoStore {
		return sentences
	}
	if c.Store != StoreVault && slices.ContainsFunc(l.keys, func(k Key) bool {
		return strings.HasPrefix(k.Path, "vault.") && k.Kind != Switch && strings.Join(l.values(k), ",") != k.Default
	}) {
		sentences = append(sentences, fmt.Sprintf("vault: is set, and not used: the store is %s (%s)", c.Store, l.source("store")))
	}
	if c.Store == StoreVault && slices.ContainsFunc(c.Vault.Addresses, vault.InClear) {
		sentences = append(sentences, "vault.addresses: tokens and keys travel unencrypted to another machine; use https")
	}
	if !c.Admin.OperatorToken.IsZero() && c.Admin.Listen == "" {
		sentences = append(sentences, "admin.operator_token: is set, and not used: admin.listen is empty, and the socket asks for no token")
	}
	return sentences
}
