package outagetest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// stall watches how late this process is given the processor. On a machine that
// is busy with other tests nothing is done in time, by us or by Vault; limits
// are widened by what was seen, and by nothing else.
type stall struct{ worst atomic.Int64 }

func watchStalls(t *testing.T) *stall {
	t.Helper()
	s := &stall{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		const nap = 5 * time.Millisecond
		for ctx.Err() == nil {
			begin := time.Now()
			time.Sleep(nap)
			if late := int64(time.Since(begin) - nap); late > s.worst.Load() {
				s.worst.Store(late)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

// within is the limit, and what the machine took in the meantime: a call waits
// for the processor many times over, on both sides.
func (s *stall) within(limit time.Duration) time.Duration {
	return limit + 300*time.Millisecond + 10*time.Duration(s.worst.Load())
}
