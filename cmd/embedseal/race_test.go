//go:build race

package main

// raceEnabled: the race detector lets pools forget at random.
const raceEnabled = true
