package ports

// Random gives bytes that nobody can guess.
type Random interface {
	// Fill fills all of p. It never fails: a source that does ends the program.
	Fill(p []byte)
}
