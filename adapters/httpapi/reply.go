package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"embedseal/app"
)

// reply is the answer to a request of the administration API that was granted.
type reply struct {
	// status is 200 when it is zero.
	status int
	// body is the answer's JSON; nil for none.
	body any
	// text stands for body where the answer is no JSON of ours, under contentType.
	text        []byte
	contentType string
	// tag is the state that was shown.
	tag app.Tag
	// location is where what was made can be read.
	location string
	// replayed says that the request was answered before.
	replayed bool
}

// write sends the reply. Nothing was sent when it returns an error.
func (r reply) write(c *gin.Context) error {
	text, contentType := r.text, r.contentType
	if r.body != nil {
		var err error
		if text, err = encoded(r.body); err != nil {
			return err
		}
		if contentType == "" {
			contentType = "application/json"
		}
	}
	header := c.Writer.Header()
	if text != nil {
		header.Set("Content-Type", contentType)
		header.Set("Content-Length", strconv.Itoa(len(text)))
	}
	if r.tag != "" {
		header.Set("ETag", string(r.tag))
	}
	if r.location != "" {
		header.Set("Location", r.location)
	}
	if r.replayed {
		header.Set("Idempotency-Replayed", "true")
	}
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	c.Writer.WriteHeader(status)
	c.Writer.WriteHeaderNow()
	if text != nil {
		_, _ = c.Writer.Write(text)
	}
	return nil
}

// encoded is v on one line.
func encoded(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("httpapi: encode an answer: %w", err)
	}
	return out.Bytes(), nil
}

// page is a list's answer.
type page[T any] struct {
	Items []T `json:"items"`
	// Next is what to send as `after` for what follows; null at the end.
	Next *string `json:"next"`
}

func newPage[T, V any](items []T, view func(T) V, next string) page[V] {
	p := page[V]{Items: make([]V, len(items)), Next: orNull(next)}
	for i, item := range items {
		p.Items[i] = view(item)
	}
	return p
}

// stamp is a time as answers have it: RFC 3339 in UTC, to the second, or null.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}
