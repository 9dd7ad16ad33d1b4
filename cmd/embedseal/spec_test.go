package main

import (
	"io"
	"net/http"
	"sync"
	"testing"

	"embedseal/adapters/httpapi/apispec"
	"embedseal/docs/api"
)

var document = sync.OnceValues(func() (*apispec.Spec, error) { return apispec.New(api.Document()) })

// conforms reads an answer, and holds it to the API's document on one of the
// listeners.
func conforms(request *http.Request, sent string, response *http.Response, listeners ...apispec.Listener) (body []byte, err error) {
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	spec, err := document()
	if err != nil {
		return nil, err
	}
	for _, on := range listeners {
		if err = spec.Check(on, request, []byte(sent), response.StatusCode, response.Header, body); err == nil {
			break
		}
	}
	return body, err
}

// fetched is the status and the body at an address of a server.
func fetched(t *testing.T, client *http.Client, url string, listeners ...apispec.Listener) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := conforms(request, "", response, listeners...)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(text)
}
