package file_test

import (
	"os"
	"testing"

	"embedseal/adapters/file"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// TestDamage tries a dozen places of each file, and every one in a long run.
func TestDamage(t *testing.T) {
	samples := 12
	if os.Getenv("EMBEDSEAL_LONG") != "" {
		samples = 0
	}
	porttest.Damage(t, porttest.Sealed{
		Open: func(t *testing.T, dir string, create, otherKey bool) (ports.GroupStore, ports.KeyStore, func(), error) {
			c := file.Config{Dir: dir, MasterKey: masterKey(1)}
			if otherKey {
				c.MasterKey = masterKey(2)
			}
			if create {
				if _, err := file.Create(t.Context(), c); err != nil {
					return nil, nil, nil, err
				}
			}
			s, closing, err := file.Open(t.Context(), c)
			if err != nil {
				return nil, nil, nil, err
			}
			return file.NewGroupStore(s), file.NewKeyStore(s), closing, nil
		},
		Ignored: []string{"lock"},
		Samples: samples,
	})
}
