package main

import (
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"embedseal/domain/policy"
)

// first asks at once as often as there may be answers, and returns what came.
func first(t *testing.T, address, apiToken string, n int, onAnswer func()) []answer {
	t.Helper()
	var mu sync.Mutex
	var answers []answer
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-gate
			a, err := tryPost(t.Context(), address, apiToken, goodBody)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
			if onAnswer != nil {
				onAnswer()
			}
		})
	}
	close(gate)
	wg.Wait()
	return answers
}

func TestAHundredFirstRequestsMakeOneKey(t *testing.T) {
	t.Parallel()
	const requests = 100
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir := t.TempDir()
			apiToken := fixture(t, dir, store, policy.Default())
			if n := ringOf(t, dir, store).Len(); n != 0 {
				t.Fatalf("the fixture has %d keys", n)
			}
			p := start(t, nil, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0")
			kids := map[string]int{}
			for _, a := range first(t, p.address(t), apiToken, requests, nil) {
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.text)
				}
				kids[inspected(t, a.JWT, "").Header.Kid]++
			}
			p.terminate(t).want(t, exitOK)
			ring := ringOf(t, dir, store)
			if ring.Len() != 1 || kids[string(ring.DefaultID())] != requests {
				t.Errorf("the ring has %d keys, the default is %s, and the tokens name %v", ring.Len(), ring.DefaultID(), kids)
			}
			made := 0
			for _, record := range auditLines(t, filepath.Join(dir, "audit.log")) {
				if record["action"] == "create_key" && record["outcome"] == "granted" && record["key_id"] == string(ring.DefaultID()) {
					made++
				}
			}
			if made != 1 {
				t.Errorf("%d records say that the key was made", made)
			}
		})
	}
}

func TestTheFirstKeyIsKeptBeforeTheFirstAnswerLeaves(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			for range 3 {
				dir := t.TempDir()
				apiToken := fixture(t, dir, store, policy.Default())
				p := start(t, nil, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0")
				answers := first(t, p.address(t), apiToken, 20, func() { p.signal(t, syscall.SIGKILL) })
				p.wait(t)
				ring := ringOf(t, dir, store)
				if len(answers) == 0 || ring.Len() != 1 {
					t.Fatalf("%d answers, %d keys", len(answers), ring.Len())
				}
				for _, a := range answers {
					k, found := ring.Default()
					if shown := inspected(t, a.JWT, k.Secret.Reveal()); !found || !shown.OK {
						t.Errorf("%s is not opened by the key that was kept: %+v", a.text, shown)
					}
				}
				mints(t, dir, store, apiToken, string(ring.DefaultID()))
			}
		})
	}
}
