package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"embedseal/domain/secret"
)

// client asks embedseal over its public listener.
type client struct {
	server string
	token  secret.Text
}

// mint asks for a token that may be embedded by that origin.
func (c client) mint(ctx context.Context, origin string) (string, error) {
	var made struct{ JWT string }
	err := c.post(ctx, "/api/generate_jwt/", map[string]any{
		"provided_id": Customer, "embed_id": Embed, "embed_origin": origin + "/",
		"expiration": fmt.Sprintf("PT%dS", int(Lifetime.Seconds())), "rb_allowed_features": []string{"flt", "srt"},
	}, &made)
	if err == nil && made.JWT == "" {
		err = errors.New("demo: the answer has no token")
	}
	return made.JWT, err
}

// reason asks why a token is not good; empty when it is.
func (c client) reason(ctx context.Context, jwt string) (string, error) {
	var judged struct{ Reason string }
	err := c.post(ctx, "/api/verify_jwt/", map[string]any{"jwt": jwt}, &judged)
	return judged.Reason, err
}

// admit asks, as a proxy does, whether a request may pass. The header of the answer
// is for the program behind the proxy.
func (c client) admit(r *http.Request) (bool, http.Header, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	question, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+"/api/forward_auth/", nil)
	if err != nil {
		return false, nil, fmt.Errorf("demo: %w", err)
	}
	question.Header.Set("Explo-Authorization", "Token "+c.token.Reveal())
	question.Header.Set("X-Original-Uri", r.URL.RequestURI())
	if sent := r.Header.Values("Embed-Token"); len(sent) > 0 {
		question.Header["Embed-Token"] = sent
	}
	answer, err := http.DefaultClient.Do(question)
	if err != nil {
		return false, nil, fmt.Errorf("demo: ask about a request: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	switch answer.StatusCode {
	case http.StatusOK:
		return true, answer.Header, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return false, nil, nil
	}
	return false, nil, fmt.Errorf("demo: ask about a request: %s", answer.Status)
}

func (c client) post(ctx context.Context, path string, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Explo-Authorization", "Token "+c.token.Reveal())
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("demo: ask %s: %w", path, err)
	}
	defer func() { _ = got.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(got.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("demo: ask %s: %w", path, err)
	}
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("demo: ask %s: %s", path, got.Status)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("demo: ask %s: %w", path, err)
	}
	return nil
}
