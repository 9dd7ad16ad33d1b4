// Package ports declares what the use-cases need from the outside world:
// interfaces only, each with its contract in prose, and the errors they may
// answer with. porttest holds the same contracts as test suites.
package ports
