package prefetch

import "testing"

func TestEveryLineIsFetchedThatHoldsAByteOfIt(t *testing.T) {
	for _, tt := range []struct{ address, bytes, want uintptr }{
		{0, 0, 0}, {7, 0, 0}, {0, 1, 1}, {0, 64, 1}, {0, 65, 2}, {63, 1, 1}, {63, 2, 2}, {32, 32, 1}, {32, 33, 2}, {96, 99, 3}, {16, 768, 13},
	} {
		if got := linesOf(tt.address, tt.bytes); got != tt.want {
			t.Errorf("%d bytes at %d: %d lines, want %d", tt.bytes, tt.address, got, tt.want)
		}
	}
}
