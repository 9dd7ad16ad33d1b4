package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"embedseal/adapters/httpload"
	"embedseal/adapters/httpload/floor"
)

// A megabyte is 10^6 bytes here.
const (
	mostBinary   = 25e6
	mostResident = 40e6
)

func TestTheBinaryIsSmall(t *testing.T) {
	about, err := os.Stat(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if size := about.Size(); size >= mostBinary {
		t.Errorf("%.1f MB, at most %.0f are wanted: what came in with the last change?", float64(size)/1e6, mostBinary/1e6)
	}
}

// The short form of what "make bench-peers" does with a million.
func TestMintingTakesNoMemoryThatItKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	p := start(t, nil, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--rate-limit", "off")
	address := p.address(t)
	token := strings.TrimSpace(contents(t, filepath.Join(dir, "api-token")))
	mint := func(n int64) {
		t.Helper()
		result, err := httpload.Run(t.Context(), httpload.Config{
			Dial:        dialing(address),
			Request:     httpload.Post(address, mintPath, floor.Body, "Explo-Authorization", "Token "+token),
			Connections: 8, Requests: n,
		})
		if err != nil || result.Accepted != n {
			t.Fatalf("%d of %d minted: %v %v %v", result.Accepted, n, result.Codes, result.Failure, err)
		}
	}
	mint(10_000)
	before := resident(t, p.cmd.Process.Pid)
	mint(10_000)
	after := resident(t, p.cmd.Process.Pid)
	if after >= mostResident {
		t.Errorf("%.1f MB after 20,000 mints", after/1e6)
	}
	if after > 1.15*before {
		t.Errorf("it grew from %.1f to %.1f MB", before/1e6, after/1e6)
	}
}

// resident is the memory of a process that is in use, in bytes.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Skipf("this system does not say: %v", err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * float64(os.Getpagesize())
}
