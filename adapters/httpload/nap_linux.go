package httpload

import (
	"runtime"
	"syscall"
	"time"
)

// precise gives the goroutine a thread of its own whose sleeps end within
// microseconds: the scheduler's timers are as coarse as a millisecond when
// nothing else happens. The thread ends with the goroutine, so that nobody inherits
// its slack.
func precise() {
	runtime.LockOSThread()
	const setTimerSlack = 29
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0) // nanosecond; without it, 50 microseconds
}

func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // woken early: the caller looks at the clock
}
