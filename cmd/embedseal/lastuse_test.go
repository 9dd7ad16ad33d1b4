package main

import (
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"embedseal/configs"
	"embedseal/domain/apitoken"
	"embedseal/domain/secret"
)

func TestALastUseOutlivesTheServer(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			made := initialise(t, dir, store)
			began := apitoken.HourOf(time.Now())
			p := start(t, nil, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0")
			if got := post(t, p.address(t), made.APIToken, goodBody); got.status != http.StatusOK {
				t.Fatalf("the mint is answered %+v", got)
			}
			p.signal(t, syscall.SIGTERM)
			p.wait(t).want(t, exitOK, "msg=stopped")

			cfg, err := configs.Load(configs.Input{Flags: map[string]string{"data_dir": dir, "store": store}})
			if err != nil {
				t.Fatal(err)
			}
			s, release, err := openStores(t.Context(), cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			g, err := s.Groups.Group(t.Context(), firstGroup)
			if err != nil {
				t.Fatal(err)
			}
			token, found := g.Token(apitoken.DigestOf(secret.New(made.APIToken)), time.Now())
			if last := token.LastUsedAt; !found || last.Before(began) || last.After(time.Now()) {
				t.Errorf("the record says of its last use %s", last)
			}
		})
	}
}
