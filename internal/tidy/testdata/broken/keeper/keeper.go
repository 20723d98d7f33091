// Package keeper may.
package keeper

import "time"

// Now tells the time.
func Now() time.Time {
	panic(time.Now())
}
