package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"embedseal/adapters/httpload"
	"embedseal/adapters/httpload/floor"
)

// BenchmarkFlatHTTP is [BenchmarkFlat] through HTTP: the processor time of the whole
// server for a mint, audit record, limiter and all, with the callers in a process of
// their own. No two requests in a row of a connection have the same header, also where
// there is one group only, since a server that reads the same again reads it faster.
func BenchmarkFlatHTTP(b *testing.B) {
	for _, store := range []string{storeMemory, storeBbolt, storeFile} {
		b.Run(store, func(b *testing.B) { benchmarkFlatHTTP(b, store) })
	}
}

func benchmarkFlatHTTP(b *testing.B, store string) {
	const turn = 20_000 // requests
	all := populations()
	took := make([][]float64, len(all)) // ns a mint
	callers := make([]string, len(all)) // files
	addresses := make([]string, len(all))
	for i, p := range all {
		run, tokens, _ := populated(b, store, p)
		addresses[i] = run.serving(b)
		callers[i] = filepath.Join(b.TempDir(), "callers")
		must(b, os.WriteFile(callers[i], []byte(strings.Join(tokens, "\n")), 0o600))
		pressFrom(b, addresses[i], callers[i], 2*turn) // warm
	}
	for b.Loop() {
		for round := range 10 {
			for i := range all { // nobody is always the first
				i = (i + round) % len(all)
				runtime.GC() // nobody clears up after others
				before := processorTime(b)
				pressFrom(b, addresses[i], callers[i], turn)
				took[i] = append(took[i], float64((processorTime(b)-before).Nanoseconds())/turn)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(took[0], took[0])[3], "cpu-ns/mint")
	reportRatio(b, "spread-1k/1", took[1], took[0])
	reportRatio(b, "spread-100k/1", took[2], took[0])
}

// serving serves as the product does, and returns the address.
func (run bench) serving(b testing.TB) string {
	b.Helper()
	addr, err := run.service.Server.Listen(b.Context())
	must(b, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run.service.Server.Serve(ctx) }()
	b.Cleanup(func() { stop(); must(b, <-ended) })
	return addr.String()
}

// pressedBy is the environment of a process of this binary that presses on a server.
const pressedBy = "EMBEDSEAL_TEST_PRESS"

// pressFrom sends so many requests from another process, with the API tokens of the
// file in turn. It fails the benchmark when one is not granted.
func pressFrom(b *testing.B, address, callers string, requests int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(cleanEnvironment(), pressedBy+"="+strings.Join([]string{address, callers, strconv.Itoa(requests)}, " "))
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// pressAsChild is what pressFrom starts.
func pressAsChild(said string) error {
	var address, callers string
	var requests int64
	if _, err := fmt.Sscan(said, &address, &callers, &requests); err != nil {
		return err
	}
	file, err := os.ReadFile(callers)
	if err != nil {
		return err
	}
	tokens := slices.Collect(strings.SplitSeq(string(file), "\n"))
	all := make([][]byte, max(len(tokens), 10_000)) // as many for one group as for all
	for i := range all {
		all[i] = httpload.Post(address, mintPath, floor.Body, "Explo-Authorization", "Token "+tokens[i%len(tokens)], "X-Turn", fmt.Sprintf("%05d", i))
	}
	r, err := httpload.Run(context.Background(), httpload.Config{
		Request: all[0], Others: all[1:], Connections: connections, Requests: requests,
		Dial: dialing(address),
	})
	if err == nil && r.Accepted != requests {
		err = fmt.Errorf("%d of %d granted; refused %v; failed %w", r.Accepted, requests, r.Codes, r.Failure)
	}
	return err
}
