package policy

// Simulate matches without trying the quick way first.
func Simulate(g Glob, s string) bool { return simulate(string(g), s) }
