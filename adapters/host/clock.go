package host

import "syscall"

// ClockSynchronised reports whether the kernel's clock is kept by something that
// knows the time (NTP), as adjtimex(2) says. known is false where it says nothing.
func ClockSynchronised() (synchronised, known bool) {
	var t syscall.Timex // no mode: nothing is set
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return kept(state, t.Status), true
}

// kept reads what adjtimex(2) answers.
func kept(state int, status int32) bool {
	const (
		stateError     = 5    // TIME_ERROR
		unsynchronised = 0x40 // STA_UNSYNC
	)
	return state != stateError && status&unsynchronised == 0
}
