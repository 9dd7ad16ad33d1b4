// Package outagetest answers: what is lost, doubled or refused while Vault
// fails?
//
// It holds tests only, of [embedseal/adapters/vault] under the cache and the
// use-cases, against a real server: the answers of writes are lost, tokens
// expire, two replicas race, and a cluster of three is killed, sealed, cut and
// hung while both mint and write. The Kubernetes method is tried with the real
// plugin.
//
// The forms called TestCampaign… are long: EMBEDSEAL_LONG=1 runs them.
package outagetest
