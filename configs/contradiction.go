package configs

import (
	"fmt"
	"net/netip"
	"net/url"
)

// contradictions finds values that are right one by one and wrong together. A
// key that is faulty by itself is not compared: its value is not known.
func (l *loader) contradictions(c Config) {
	h := c.HTTP
	l.notMore("http.read_header_timeout", "http.read_timeout", h.ReadHeaderTimeout > h.ReadTimeout,
		"a header cannot take longer than its request")
	l.notMore("http.read_timeout", "http.write_timeout", h.ReadTimeout > h.WriteTimeout,
		"a slow request would get no answer")
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
func advice(c Config) []string {
	u, err := url.Parse(c.Client.Server)
	if err != nil || u.Scheme != "http" || loopback(u.Hostname()) {
		return nil
	}
	return []string{"server: the API token travels unencrypted to another machine; use https"}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
