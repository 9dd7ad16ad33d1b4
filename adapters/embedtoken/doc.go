// Package embedtoken answers: is this embed token good, and what stands in it? It is
// for dashboard servers written in Go that have the value of the embed secret, and
// asks nobody: see docs/guides/verify.md.
//
// It is the use-case behind POST /api/verify_jwt/, with a ring in memory in place of
// a store: what the server refuses is refused here, for the same reason.
//
// # Caveats
//
// It does not know what was revoked unless it is told ([Config.Revoked]), nor that a
// key was disabled, retired or destroyed, nor the policy of a group but for the
// longest lifetimes. Where that matters, ask the server.
package embedtoken
