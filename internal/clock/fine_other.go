//go:build !linux

package clock

import "time"

// nap waits as long as the runtime makes it.
func nap(d time.Duration) { time.Sleep(d) }
