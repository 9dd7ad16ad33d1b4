// Package porttest answers: does this implementation keep every promise of its
// port? Each contract of package ports is a suite here, one sub-test for each
// sentence, that an adapter's own test runs in about ten lines:
//
//	func TestKeyStore(t *testing.T) {
//		porttest.KeyStore(t, porttest.KeyStores{Open: open, Reopen: reopen})
//	}
//
// The sub-tests do not run in parallel, so that Open and Reopen may share
// variables.
package porttest
