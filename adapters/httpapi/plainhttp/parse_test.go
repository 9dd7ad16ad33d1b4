package plainhttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"embedseal/adapters/httpapi/plainhttp"
)

// served is which requests of this file are plain.
func served(_, path string) bool { return path != "/left" }

// TestOnlyOneWholePlainRequestIsReadHere: what two readers could see differently is
// left to net/http.
func TestOnlyOneWholePlainRequestIsReadHere(t *testing.T) {
	t.Parallel()
	const (
		no    = "no"
		yes   = "yes"
		later = "when more comes"
	)
	with := func(from, to string) string { return strings.Replace(post, from, to, 1) }
	in := plainhttp.NewIncoming() // one for all
	for data, want := range map[string]string{
		post:                                     yes,
		get:                                      yes,
		with("Content-Length", "content-length"): yes,
		with("Content-Length", "cOnTENT-lENGTH"): yes,
		with(": 2", ":2"):                        yes,
		with(": 2", ":\t 2 \t"):                  yes,
		with(": 2", ": 00002"):                   yes,
		with("/a", "/a?b=c&d=%2F;e"):             yes,
		with("/a", "//a/../b"):                   yes,
		with("/a", "/%2e%2E/\"<>^`{|}"):          yes,
		with("Host: x", "Host: [::1]:80"):        yes,
		with("Host: x", "Host: x\r\nConnection: Keep-Alive"):                      yes,
		with("Host: x", "Host: x\r\nX:\r\nx: \t\r\nX: a  b"):                      yes,
		with("Host: x", "Host: x\r\n_: 1\r\n-: 2\r\n1: 3\r\na_b-C_d: 4\r\n-a: 5"): yes,
		with("Content-Length: 2", "Content-Length: 0")[:len(post)-2]:              yes,
		with("Host: x", "Host: x"+strings.Repeat("\r\nX: y", 60)):                 yes,
		with("Host: x", "Host: x"+strings.Repeat("\r\nX: y", 100)):                no,
		post[:len(post)-1]:       later,
		get[:len(get)-1]:         later,
		"":                       later,
		"G":                      later,
		post + "GET /":           no,
		post + "\r\n":            no,
		get + "POST":             no,
		get + "\n":               no,
		"\r\n" + get:             no,
		" " + get:                no,
		with("POST", "HEAD"):     no,
		with("POST", "post"):     no,
		with("POST", "GET"):      no,
		with("1.1", "1.0"):       no,
		with("1.1", "1.2"):       no,
		with("1.1", "2.0"):       no,
		with("/a", "/left"):      no,
		with("/a", "/l%65ft"):    no,
		with("/a", "http://x/a"): no,
		with("/a", "*"):          no,
		with("/a", "a"):          no,
		with("/a", ""):           no,
		with("/a", "/%"):         no,
		with("/a", "/%zz"):       no,
		with("/a", "/a#b"):       no,
		with("/a", "/a\tb"):      no,
		with("/a", "/a b"):       no,
		with("/a", "/\x7f"):      no,
		with("/a", "/ä"):         no,
		with(" /a", "  /a"):      no,
		with("/a ", "/a  "):      no,
		with("1.1\r", "1.1 \r"):  no,
		with("Content-Length: 2", "Content-Length: 2\r\nContent-Length: 2"):       no,
		with("Content-Length: 2", "Content-Length: 2\r\ncontent-length: 2"):       no,
		with("Content-Length: 2", "Content-Length: +2"):                           no,
		with("Content-Length: 2", "Content-Length: -2"):                           no,
		with("Content-Length: 2", "Content-Length: 2, 2"):                         no,
		with("Content-Length: 2", "Content-Length: 0x2"):                          no,
		with("Content-Length: 2", "Content-Length: 000002"):                       no,
		with("Content-Length: 2", "Content-Length: 99999999999999999999"):         no,
		with("Content-Length: 2", "Content-Length:"):                              no,
		with("Content-Length: 2", "Content-Length: 3"):                            later,
		with("Content-Length: 2", "Content-Length: 1"):                            no,
		with("Content-Length:", "Content-Length :"):                               no,
		with("Content-Length:", " Content-Length:"):                               no,
		with("Content-Length: 2", "Transfer-Encoding: chunked"):                   no,
		with("Host: x", "Host: x\r\nTransfer-Encoding: chunked"):                  no,
		with("Host: x", "Host: x\r\ntransfer-encoding:\tidentity"):                no,
		with("Host: x", "Host: x\r\nTransfer-Encoding:"):                          no,
		with("Host: x", "Host: x\r\nTransfer-Encoding : chunked"):                 no,
		with("Host: x", "Host: x\r\n\x0bTransfer-Encoding: chunked"):              no,
		with("Host: x", "Host: x\r\nExpect: 100-continue"):                        no,
		with("Host: x", "Host: x\r\nConnection: close"):                           no,
		with("Host: x", "Host: x\r\nConnection: keep-alive, close"):               no,
		with("Host: x", "Host: x\r\nConnection: keep-alive\r\nConnection: close"): no,
		with("Host: x", "Host: x\r\nConnection: Content-Length"):                  no,
		with("Host: x", "Host: x\r\nUpgrade: h2c"):                                no,
		with("Host: x", "Host: x\r\nTrailer: X"):                                  no,
		with("Host: x", "Host: x\r\nTE: trailers"):                                no,
		with("Host: x", "Host: x\r\nPragma: no-cache"):                            no,
		with("Host: x", "Host: x\r\nKeep-Alive: 5"):                               no,
		with("Host: x", "Host: x\r\nX: y\r\n Content-Length: 30"):                 no,
		with("Host: x", "Host: x\r\n\tX: y"):                                      no,
		with("Host: x", "Host: x\r\nX: y\nContent-Length: 30"):                    no,
		with("Host: x", "Host: x\r\nX: y\rContent-Length: 30"):                    no,
		with("Host: x", "Host: x\r\nX: y\r\r"):                                    no,
		with("Host: x", "Host: x\r\nX"):                                           no,
		with("Host: x", "Host: x\r\n: y"):                                         no,
		with("Host: x", "Host: x\r\nX y: z"):                                      no,
		with("Host: x", "Host: x\r\nX: \x00"):                                     no,
		with("Host: x", "Host: x\r\nX: \x7f"):                                     no,
		with("Host: x", "Host: x\r\nX: ä"):                                        no,
		with("Host: x", "Host: x\r\nX\x00: y"):                                    no,
		with("Host: x", "Host: x\r\nHost: x"):                                     no,
		with("Host: x", "Host: x\r\nhost: y"):                                     no,
		with("Host: x", "Host: a@x"):                                              no,
		with("Host: x", "Host: x/y"):                                              no,
		with("Host: x", "Host: x y"):                                              no,
		with("Host: x", "Host:"):                                                  no,
		with("Host: x\r\n", ""):                                                   no,
		with(" HTTP/1.1", " HTTP/1.1\nTransfer-Encoding: chunked\nX: HTTP/1.1"):   no,
		with(" HTTP/1.1", " HTTP/1.1\rX: HTTP/1.1"):                               no,
		"GET /a HTTP/1.1\n\nPOST /a HTTP/1.1\r\nHost: x\r\n\r\n":                  no,
		"GET /a HTTP/1.1\r\n\r\n":                                                 no,
		"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n":                 no,
		"POST /a HTTP/1.1\r\nHost: x\r\n\r\n":                                     no,
		"\r\n\r\n":                                                                no,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                        no,
	} {
		got := no
		switch req, more := in.Parse([]byte(data), served); {
		case req != nil:
			got = yes
		case more:
			got = later
		}
		if got != want {
			t.Errorf("plain: %s, want %s: %q", got, want, data)
		}
		sameAsNetHTTP(t, in, []byte(data))
	}
}

// said is what a handler is told.
type said struct {
	Method, RequestURI, Host, Proto string
	URL                             any
	Header                          http.Header
	Trailer                         http.Header
	Length                          int64
	Body                            string
	Close                           bool
	Encoding                        []string
}

func told(r *http.Request) said {
	body, _ := io.ReadAll(r.Body)
	return said{r.Method, r.RequestURI, r.Host, r.Proto, *r.URL, r.Header.Clone(), r.Trailer, r.ContentLength, string(body), r.Close, r.TransferEncoding}
}

// once is a listener of one connection.
type once chan net.Conn

func (l once) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (once) Close() error   { return nil }
func (once) Addr() net.Addr { return &net.TCPAddr{} }

// servedByNetHTTP is what a handler of net/http is told, and the status of the answer.
func servedByNetHTTP(t testing.TB, data []byte) (what said, status int) {
	t.Helper()
	server, _ := newHTTP(func(_ http.ResponseWriter, r *http.Request) { what = told(r) })
	l := make(once, 1)
	mine, its := net.Pipe()
	l <- its
	close(l)
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	defer server.Close()
	defer mine.Close()
	go func() { _, _ = mine.Write(data) }()
	resp, err := http.ReadResponse(bufio.NewReader(mine), nil)
	if err != nil {
		t.Fatalf("net/http does not answer %q: %v", data, err)
	}
	return what, resp.StatusCode
}

// sameAsNetHTTP compares what is read of data where it is a whole plain request.
func sameAsNetHTTP(t testing.TB, in *plainhttp.Incoming, data []byte) {
	t.Helper()
	req, _ := in.Parse(data, served)
	if req == nil {
		return
	}
	got := told(req)
	r := bufio.NewReader(bytes.NewReader(data))
	want, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("%q is none to net/http: %v", data, err)
	}
	if want := told(want); !reflect.DeepEqual(got, want) {
		t.Errorf("%q is\n%+v, to net/http\n%+v", data, got, want)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("%q has %q behind it", data, rest)
	}
	if got.Close || got.Encoding != nil || got.Trailer != nil {
		t.Errorf("%q asks for more: %+v", data, got)
	}
	if want, status := servedByNetHTTP(t, data); status != http.StatusOK || !reflect.DeepEqual(got, want) {
		t.Errorf("%q is\n%+v, net/http answers %d, and its handler is told\n%+v", data, got, status, want)
	}
	step := max(1, len(data)/200)
	for cut := len(data) - 1; cut >= 0; cut -= step {
		if req, _ := in.Parse(data[:cut], served); req != nil {
			t.Errorf("%q is whole", data[:cut])
		}
	}
	if again, _ := in.Parse(data, served); again == nil || !reflect.DeepEqual(told(again), got) {
		t.Errorf("%q is something else after its parts were read", data)
	}
}

func FuzzParse(f *testing.F) {
	for _, second := range []string{
		post, get, post + get, post[:len(post)-1], "GET / HTTP/1.1\n\n",
		"GET //a?b=%2f HTTP/1.1\r\nhost: [::1]\r\nConnection: keep-alive\r\nx_y: \t\r\nX_y: 2\r\n\r\n",
		"POST /%20 HTTP/1.1\r\nHost: x\r\ncontent-length: 00003\r\nPragma: x\r\n\r\nabc",
		"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(get), []byte(second))
		f.Add([]byte(strings.Replace(post, "\r\n", "\r\nX: 1\r\nX: 2\r\nAuthorization: Bearer y\r\n", 1)), []byte(second))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		in := plainhttp.NewIncoming()
		for _, data := range [][]byte{first, second} {
			if len(data) <= plainhttp.MaxRequest {
				sameAsNetHTTP(t, in, data)
			}
		}
	})
}

// What a handler does to its request is not seen by the next.
func TestTheNextRequestIsAsItCame(t *testing.T) {
	t.Parallel()
	in := plainhttp.NewIncoming()
	many := strings.Replace(post, "Host", "A: 1\r\nB: 2\r\nB: 3\r\nHost", 1)
	req, _ := in.Parse([]byte(many), served)
	req.Header.Add("A", "more")
	req.Header["B"][0] = "changed"
	req.Header.Set("C", "new")
	req.URL.Path, req.URL.RawQuery = "/left", "?"
	req.Method, req.Host, req.RemoteAddr, req.Pattern = "PUT", "y", "z", "/"
	req.SetPathValue("a", "b")
	_ = req.ParseForm()
	req.Close, req.Trailer = true, http.Header{}
	for _, data := range []string{many, post, get} {
		sameAsNetHTTP(t, in, []byte(data))
		req, _ := in.Parse([]byte(data), served)
		if req.RemoteAddr != "" || req.Pattern != "" || req.PathValue("a") != "" || req.Form != nil {
			t.Errorf("%q has something of the request before: %+v", data, req)
		}
	}
}

// A request with very many fields is none of those that come again and again, and what
// holds them would be kept.
func TestARequestOfVeryManyFieldsIsLeft(t *testing.T) {
	t.Parallel()
	for fields, want := range map[int]bool{60: true, 70: false} {
		var text strings.Builder
		for i := range fields {
			text.WriteString("\r\nX" + itoa(i) + ":")
		}
		req, _ := plainhttp.NewIncoming().Parse([]byte(strings.Replace(get, "\r\n", text.String()+"\r\n", 1)), served)
		if got := req != nil; got != want {
			t.Errorf("%d fields: %v, want %v", fields, got, want)
		}
	}
}

// The API token of a request is not kept until the next.
func TestNothingOfAHeaderIsKeptForTheNext(t *testing.T) {
	t.Parallel()
	in := plainhttp.NewIncoming()
	token := func() weak.Pointer[byte] {
		req, _ := in.Parse([]byte(strings.Replace(post, "Host", "A: 1\r\nB: 2\r\nAuthorization: Bearer 4711\r\nHost", 1)), served)
		return weak.Make(unsafe.StringData(req.Header.Get("Authorization")))
	}()
	if token.Value() == nil {
		t.Fatal("the token has gone before anybody looked for it")
	}
	in.Parse([]byte(get), served)
	for range 3 {
		runtime.GC()
	}
	if token.Value() != nil {
		t.Error("the header of the request before is still there")
	}
	runtime.KeepAlive(in)
}
