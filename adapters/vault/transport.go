package vault

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

const (
	// maxAnswer is the longest answer that is read. A secret of KV is stored as
	// JSON of at most 1 MiB.
	maxAnswer = 3 << 20
	// maxIdle is how many connections to one server wait for their next request.
	maxIdle = 64
)

// newTransport is how servers are connected to. It takes nothing from the
// environment, proxies included.
//
// HTTP/2 is left out on purpose: all requests would share one connection, and
// one that was cut without a word takes minutes to be noticed. Here a request
// that is given up takes its connection along, and the next one is new.
func newTransport(c TLSConfig) (*http.Transport, error) {
	conf, err := c.load()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    time.Second,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:     true,
		MaxIdleConns:           4 * maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}, nil
}

// load reads the files once, so that a fault shows at start, and the
// certificate of this service again on every handshake, as it is renewed.
func (c TLSConfig) load() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%w: read the CA file: %w", ErrConfig, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: the CA file %s holds no certificate", ErrConfig, c.CAFile)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, fmt.Errorf("%w: a client certificate needs its key, and the other way round", ErrConfig)
	}
	if c.CertFile == "" {
		return conf, nil
	}
	read := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: the client certificate %s or its key cannot be used", ErrConfig, c.CertFile)
		}
		return &pair, nil
	}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return read() }
	_, err := read()
	return conf, err
}

// guard stands between Vault's client and the network, for what the client
// does not see: it gives back a second redirect as a success without a body,
// follows one to wherever it points, with the token, and reads without end.
// https://github.com/hashicorp/vault/blob/api/v1.23.0/api/client.go#L1530
type guard struct {
	base http.RoundTripper
	// origins are the servers that may be redirected to.
	origins map[string]bool
}

// redirected is the end of a request at a server that will not serve it. That
// does not say that nothing was done: a standby falls back to a redirect when
// it has passed a write on and the leader is lost before it answers.
// https://github.com/hashicorp/vault/blob/v1.21.1/http/handler.go (forwardRequest)
type redirected struct{ why string }

func (e *redirected) Error() string { return e.why }

// unsentError is a request that no server got: there was no connection.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return "not sent: " + e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// RoundTrip implements http.RoundTripper. It follows one redirect, as a standby
// that does not forward answers with 307.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := drain(req.Body)
	if err != nil {
		return nil, &unsentError{err}
	}
	for hop := 0; ; hop++ {
		resp, err := g.send(req, body)
		if err != nil {
			var unsent *unsentError
			if hop > 0 && errors.As(err, &unsent) {
				err = &redirected{"redirects to " + req.URL.Host + ", which cannot be reached"} // one of the configured
			}
			return nil, err
		}
		if resp.StatusCode < 300 || resp.StatusCode > 399 {
			resp.Body = &capped{body: resp.Body, left: maxAnswer}
			return resp, nil
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusTemporaryRedirect {
			return nil, &redirected{"redirects in a way that Vault does not (" + http.StatusText(resp.StatusCode) + ")"}
		}
		if hop > 0 {
			return nil, &redirected{"redirects a request that was redirected already"}
		}
		target, err := g.target(req.URL, resp.Header.Get("Location"))
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.URL, req.Host = target, ""
	}
}

// target is where a redirect leads, if that is a server that was configured.
func (g *guard) target(from *url.URL, location string) (*url.URL, error) {
	u, err := from.Parse(location)
	if err != nil || location == "" || u.User != nil {
		return nil, &redirected{"redirects to nowhere"}
	}
	if !g.origins[origin(u)] {
		// Where to is not said: the location may repeat the token.
		return nil, &redirected{"redirects to an address that is none of those configured"}
	}
	return u, nil
}

// send makes one request. Without a connection the error is an [unsentError].
func (g *guard) send(req *http.Request, body []byte) (*http.Response, error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	req.Body, req.GetBody = http.NoBody, nil
	req.ContentLength = int64(len(body))
	if len(body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(body))
		// With it the transport tries again what it has not begun to write.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	resp, err := g.base.RoundTrip(req)
	if err != nil && !connected.Load() {
		return nil, &unsentError{err}
	}
	return resp, err //nolint:wrapcheck // what stands in for a transport answers as one
}

func drain(body io.ReadCloser) ([]byte, error) {
	if body == nil || body == http.NoBody {
		return nil, nil
	}
	b, err := io.ReadAll(body)
	return b, errors.Join(err, body.Close())
}

// errTooLong ends the reading of an answer that has no end.
var errTooLong = errors.New("vault: read answer: it is too long")

// capped is a body of a limited length.
type capped struct {
	body io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	n, err := c.body.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// Close implements io.Closer.
func (c *capped) Close() error { return c.body.Close() } //nolint:wrapcheck // of the body that it stands in for
