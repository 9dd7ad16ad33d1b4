package loopback_test

import (
	"testing"

	"embedseal/adapters/internal/loopback"
)

func TestOnlyWhatNeverLeavesTheMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example": false, "localhost.": false, "0.0.0.0": false, "::": false, "10.0.0.1": false,
		"127.1": false, "128.0.0.1": false, "[::1]": false, "::ffff:10.0.0.1": false,
	} {
		if got := loopback.Host(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}
