package clock

import (
	"syscall"
	"time"
)

// nap waits in the kernel. What interrupts it says how much is left.
func nap(d time.Duration) {
	left := syscall.NsecToTimespec(int64(d))
	for syscall.Nanosleep(&left, &left) == syscall.EINTR { //nolint:errorlint // it comes from the kernel as it is
	}
}
