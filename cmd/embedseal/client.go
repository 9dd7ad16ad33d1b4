package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"embedseal/domain/secret"
)

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 1 << 20

// mintPath is where tokens are made.
const mintPath = "/api/generate_jwt/"

// ask sends one request to a path of the public endpoint. An answer that is a
// problem is no error: the caller shows it. data is the whole answer.
func ask(ctx context.Context, server, path string, apiToken secret.Text, body []byte) (answer mintAnswer, data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	response, err := postTo(ctx, server, path, apiToken, body)
	if err != nil {
		return mintAnswer{}, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return readAnswer(server, response)
}

// postTo sends one request to a path of the public endpoint.
func postTo(ctx context.Context, server, path string, apiToken secret.Text, body []byte) (*http.Response, error) {
	address := strings.TrimSuffix(server, "/") + path
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Explo-Authorization", "Token "+apiToken.Reveal())
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the server answers with a redirect; --server must name it directly")
	}}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w; is the server running? (embedseal serve, or --server URL)", server, err)
	}
	return response, nil
}

// readAnswer reads an answer that is small.
func readAnswer(server string, response *http.Response) (answer mintAnswer, data []byte, err error) {
	data, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return mintAnswer{}, nil, fmt.Errorf("read the answer of %s: %w", server, err)
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Success != 1 && answer.Code == "" {
		return mintAnswer{}, nil, notOurs(server, response)
	}
	return answer, data, nil
}

func notOurs(server string, response *http.Response) error {
	return fmt.Errorf("%s answers %s, and not as an embedseal server does; check --server", server, response.Status)
}
