// Package hostile answers: which tokens does a stranger present, or somebody with a
// key and bad intentions, and what is to be said of each? It is run by the tests of
// whatever judges tokens.
//
// The rows stand in tokens.txt, one a line: what is to be said, what it is, and how
// it is made of a good token. Respellings are what another library takes for the same
// token, and what needs no key to make.
package hostile
