// Package vaulttest answers: where does a test get a real Vault server from, and
// how does it break one?
//
// [Dev] starts a server in memory, [StartCluster] a raft cluster with TLS, and
// [Proxy] stands between a client and a server and spoils what passes. All of it
// is on loopback, has an environment of its own, and is gone when the test ends.
//
// The server is what .ci/vault built ("make vault"), or the program that
// VAULT_BIN names. Where there is none the test is skipped, unless CI=true or
// REQUIRE_VAULT=1: then it fails.
//
// # Caveats
//
// [Cluster.Isolate] asks /proc which node made a connection, so it needs Linux.
// Everything else needs signals, so it needs Unix.
package vaulttest
