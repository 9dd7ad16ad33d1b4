package hostile_test

import (
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"embedseal/adapters/jose/hostile"
	"embedseal/domain/verdict"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC) }

func rows(t *testing.T) []hostile.Row {
	t.Helper()
	all, err := hostile.Rows(now())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each section has rows, each reason but the one that needs a server has some, and no
// row stands there twice.
func TestTheTableIsWhatItSays(t *testing.T) {
	all := rows(t)
	if len(all) < 200 {
		t.Errorf("%d rows, want 200", len(all))
	}
	reasons, sentences, texts := map[verdict.Reason]int{}, map[string]int{}, map[string]int{}
	for _, r := range all {
		reasons[r.Reason]++
		if before := sentences[r.Sentence]; before != 0 {
			t.Errorf("lines %d and %d are both %q", before, r.Line, r.Sentence)
		}
		whole := strings.Join([]string{r.Text, value(r.Origin), value(r.Embed), value(r.Chart)}, "\x00")
		if before := texts[whole]; before != 0 {
			t.Errorf("lines %d and %d are the same", before, r.Line)
		}
		sentences[r.Sentence], texts[whole] = r.Line, r.Line
	}
	for _, want := range append(verdict.Reasons(), "") {
		if reasons[want] == 0 && want != verdict.Revoked {
			t.Errorf("no row is %q", want)
		}
		delete(reasons, want)
	}
	if len(reasons) > 0 {
		t.Errorf("rows of no known reason: %v", reasons)
	}
}

func value(s *string) string {
	if s == nil {
		return "\x01"
	}
	return *s
}

// What makes them hostile: another library opens each, to the same claims.
func TestAnotherLibraryTakesEachRespelling(t *testing.T) {
	seen := 0
	for _, r := range rows(t) {
		if !strings.HasPrefix(r.Section, "respellings") {
			continue
		}
		seen++
		//nolint:staticcheck // what takes every serialization is what many call
		object, err := gojose.ParseEncrypted(r.Text, []gojose.KeyAlgorithm{gojose.DIRECT}, []gojose.ContentEncryption{gojose.A256GCM})
		if err != nil {
			t.Errorf("line %d, %s: go-jose does not read it: %v", r.Line, r.Sentence, err)
			continue
		}
		claims, err := object.Decrypt([]byte(hostile.Value(hostile.Active)))
		if err != nil || !strings.HasPrefix(string(claims), `{"cst":"customer_1","dsh":"abcde","exp":`) {
			t.Errorf("line %d, %s: go-jose opens %q: %v", r.Line, r.Sentence, claims, err)
		}
	}
	if seen < 7 {
		t.Errorf("%d respellings, want 7", seen)
	}
}
