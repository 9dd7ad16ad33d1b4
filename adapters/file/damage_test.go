package file_test

import (
	"testing"

	"embedseal/adapters/file"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// A dozen places of each file; the campaign takes every one, or a share.
func TestDamage(t *testing.T) { damage(t, 12) }

func TestCampaignDamage(t *testing.T) {
	samples := 0
	if factor := porttest.LongFactor(t); factor < 1 {
		samples = max(12, int(300*factor))
	}
	damage(t, samples)
}

func damage(t *testing.T, samples int) {
	t.Helper()
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
