package vault_test

import (
	"errors"
	"net/http"
	"testing"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// FuzzAnswer reads a ring and a group out of whatever may come back.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"x"`, `{"errors":[]}`, `{"errors":["Vault is sealed"]}`, `{"data":null}`, `{"data":{"data":null,"metadata":{"version":1,"destroyed":true}}}`,
		`{"data":{"data":{"v":1,"write_id":"w","document":"{\"v\":1,\"group\":\"acme\",\"keys\":[]}"},"metadata":{"version":1}}}`,
		`{"data":{"data":{"v":1,"write_id":"w","trail":[1],"document":"x"},"metadata":{"version":9223372036854775808}}}`,
		`{"data":{"data":{"v":1e0,"write_id":{},"document":[]},"metadata":[]}}`, `{"data":{"keys":["../x","acme/"]}}`, `<html>`, "\x00\xff", `{"data":{"data":`,
		`{"auth":{"client_token":"x"},"wrap_info":{"token":"y"},"data":{"data":{},"metadata":{"version":-1,"deletion_time":"x"}}}`,
	} {
		for _, status := range []uint16{200, 204, 307, 400, 403, 404, 429, 473, 500, 503} {
			f.Add(status, body)
		}
	}
	fake := vaultfake.Start(f)
	b, closing, err := vault.Open(f.Context(), vault.Config{
		Addresses: []string{fake.URL(), fake.URL()}, // of two the second is asked without a pause
		Auth:      vault.AuthConfig{Method: vault.MethodToken, Token: secret.New(vaultfake.RootToken)},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(closing)
	groups, keys := vault.NewGroupStore(b), vault.NewKeyStore(b)
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		if status < 200 || status > 599 || status == http.StatusForbidden {
			status = http.StatusOK // what is forbidden waits for another log-in
		}
		answering(fake, int(status), body)
		ring, ringErr := keys.Ring(t.Context(), "acme")
		group, groupErr := groups.Group(t.Context(), "acme")
		_, listErr := groups.Groups(t.Context())
		if ringErr != nil && ring.Len() != 0 || groupErr == nil && group.ID != "acme" {
			t.Errorf("a ring of %d keys with %v, a group %q with %v", ring.Len(), ringErr, group.ID, groupErr)
		}
		for _, err := range []error{ringErr, groupErr, listErr} {
			kinds := 0
			for _, kind := range sentinels() {
				if errors.Is(err, kind) {
					kinds++
				}
			}
			if err != nil && kinds != 1 {
				t.Errorf("the error %v is of %d kinds", err, kinds)
			}
		}
		if errors.Is(ringErr, ports.ErrNotFound) {
			t.Errorf("a ring that is not there is empty, not %v", ringErr)
		}
	})
}
