package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/secret"
)

const (
	route   = "/api/generate_jwt/"
	jsonIs  = "Content-Type: application/json"
	minimal = `{"provided_id":"customer_1","embed_id":"abcde"}`
)

// textOf is the API token of that name in the group.
func textOf(id group.ID, name string) secret.Text {
	var random [apitoken.Entropy]byte
	copy(random[2:], string(id)+name+"-and-more-to-fill-it")
	random[0], random[1] = 7, byte(len(name))
	return apitoken.New(string(id), random)
}

func apiToken(id group.ID, name string) string { return textOf(id, name).Reveal() }

// authorized is the documented header, with the read-write token of acme.
func authorized() string { return "Explo-Authorization: Token " + apiToken("acme", "rw") }

// request is one request, byte for byte. What is left out is that of a mint
// request that is granted.
type request struct {
	method, path string
	// headers are whole lines; nil means the content type and a token.
	headers []string
	// without leaves out the Content-Length.
	without bool
	body    string
}

func (r request) String() string {
	if r.method == "" {
		r.method = http.MethodPost
	}
	if r.path == "" {
		r.path = route
	}
	if r.headers == nil {
		r.headers = []string{jsonIs, authorized()}
	}
	lines := append([]string{r.method + " " + r.path + " HTTP/1.1", "Host: embedseal.test", "Connection: close"}, r.headers...)
	if !r.without {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + r.body
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends r over a connection of its own.
func (s *site) send(t *testing.T, r request) answer {
	t.Helper()
	return s.sendRaw(t, r.String())
}

func (s *site) sendRaw(t *testing.T, text string) answer {
	t.Helper()
	return sendOver(t, s.dial(t), text)
}

// sendOver sends one request over conn, which it closes.
func sendOver(t *testing.T, conn net.Conn, text string) answer {
	t.Helper()
	wrote := make(chan struct{})
	go func() { // what is answered early is not read to its end
		defer close(wrote)
		_, _ = io.WriteString(conn, text)
	}()
	method, _, _ := strings.Cut(text, " ")
	got := read(t, bufio.NewReader(conn), method)
	_ = conn.Close()
	<-wrote
	return got
}

func (s *site) dial(t *testing.T) net.Conn {
	t.Helper()
	return dialTo(t, "tcp", s.addr)
}

func dialTo(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// read reads one answer to a request of that method.
func read(t *testing.T, from *bufio.Reader, method string) answer {
	t.Helper()
	res, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("half an answer: %v", err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

// problem is what every failure is answered with.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Success   *int   `json:"success"`
	ErrorMsg  string `json:"error_msg"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Field, Code, Detail string
	} `json:"errors"`
}

// fields are the faults, as `field:code`.
func (p problem) fields() []string {
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Field+":"+e.Code)
	}
	return all
}

// problem reads a problem, and checks everything that every one of them has.
func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("not a problem: %v: %q", err, a.body)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatal(err)
	}
	want := []string{"code", "detail", "error_msg", "request_id", "status", "success", "title", "type"}
	if p.Code == "invalid_request" || p.Code == "policy_refused" {
		want = append(want, "errors")
	}
	var got []string
	for name := range members {
		got = append(got, name)
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the members are %q, want %q", got, want)
	}
	if p.Status != a.status || p.Type != "urn:embedseal:problem:"+p.Code || p.Title == "" || p.Detail == "" || p.ErrorMsg != p.Detail {
		t.Errorf("the members contradict one another, or the status %d: %s", a.status, a.body)
	}
	if !bytes.Equal(members["success"], []byte("0")) {
		t.Errorf("success is %s, want the number 0", members["success"])
	}
	if p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("request_id is %q, the header says %q", p.RequestID, a.header.Get("X-Request-Id"))
	}
	if _, given := members["errors"]; given && len(p.Errors) == 0 {
		t.Error("errors is empty")
	}
	for _, e := range p.Errors {
		if e.Field == "" || e.Code == "" || e.Detail == "" {
			t.Errorf("a fault says nothing: %+v", e)
		}
	}
	a.checkHeaders(t, "application/problem+json")
	return p
}

// checkHeaders checks the headers that every answer with a body has.
func (a answer) checkHeaders(t *testing.T, contentType string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": contentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Length": fmt.Sprint(len(a.body)),
	} {
		if got := a.header[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := a.header["X-Request-Id"]; len(got) != 1 || len(got[0]) != 16 {
		t.Errorf("X-Request-Id is %q, want one of 16 characters", got)
	}
}

// jwt is the token of an answer that grants one.
func (a answer) jwt(t *testing.T) string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return a.jwtBefore(t, "\"}\n")
}

// jwtBefore is the token of an answer that grants one and ends in rest.
func (a answer) jwtBefore(t *testing.T, rest string) string {
	t.Helper()
	text, ok := strings.CutPrefix(a.body, `{"success": 1, "jwt": "`)
	text, ok2 := strings.CutSuffix(text, rest)
	if !ok || !ok2 || strings.ContainsAny(text, "\"\\ \n") {
		t.Fatalf("the answer is %q", a.body)
	}
	a.checkHeaders(t, "application/json")
	return text
}
