// Package app holds the use-cases: one file per verb, each the order of steps
// that a request takes through the domain and the ports, and nothing of how it
// came in or where things are kept.
package app
