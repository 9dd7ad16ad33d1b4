package ports

import "time"

// Clock tells the time. Nothing under app/ looks at another one.
type Clock interface {
	// Now is the current time in UTC.
	Now() time.Time
}
