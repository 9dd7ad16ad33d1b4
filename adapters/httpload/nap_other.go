//go:build !linux

package httpload

import "time"

func precise() {}

func nap(d time.Duration) { time.Sleep(d) }
