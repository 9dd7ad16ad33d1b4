// Package clock answers: what time is it, outside of a test?
package clock

import "time"

// System is the clock of the machine. The zero value is ready; it implements
// ports.Clock.
type System struct{}

// Now returns the current time in UTC.
func (System) Now() time.Time { return time.Now().UTC() }
