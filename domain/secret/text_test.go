package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"embedseal/domain/secret"
)

const canary = "canary-0123456789abcdef"

type holder struct {
	Shown  secret.Text
	hidden secret.Text
	list   []secret.Text
}

func TestASecretNeverPrints(t *testing.T) {
	s := secret.New(canary)
	h := holder{Shown: s, hidden: s, list: []secret.Text{s}}
	var out bytes.Buffer
	for _, v := range []any{s, &s, h, &h, []any{s}, map[string]secret.Text{"k": s}, map[secret.Text]int{s: 1}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%t", "%e", "%c"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("x", "secret", s, "holder", h, "pointer", &h)
	}
	for _, v := range []any{s, h, map[string]any{"s": s}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret was printed as %s", form)
		}
	}
	if !strings.Contains(out.String(), secret.Redacted) {
		t.Error("nothing was printed at all: the test looks at nothing")
	}
}

func TestRevealGivesTheValueBack(t *testing.T) {
	if got := secret.New(canary).Reveal(); got != canary {
		t.Errorf("got %q", got)
	}
	if !secret.New("").IsZero() || secret.New(canary).IsZero() {
		t.Error("IsZero is wrong")
	}
	if !secret.New(canary).Equal(secret.New(canary)) || secret.New(canary).Equal(secret.New("other")) {
		t.Error("Equal is wrong")
	}
}
