package apitoken_test

import (
	"testing"

	"embedseal/domain/apitoken"
)

func TestATokenIsFoundWhereverItStands(t *testing.T) {
	token := apitoken.New("a-b", [apitoken.Entropy]byte{1, 2, 3}).Reveal()
	for _, text := range []string{
		token, "Token " + token, "x" + token, token + "x", "ems_" + token, "ems_ems_a_" + token + " y", "\"" + token + "\"",
	} {
		if !apitoken.In(text) {
			t.Errorf("not found in %q", text)
		}
	}
	changed := token[:len(token)-1] + "~"
	for _, text := range []string{"", "ems_", "ems__", "customer_ems_1", changed, token[:len(token)-1], token[1:]} {
		if apitoken.In(text) {
			t.Errorf("found in %q", text)
		}
	}
}
