// Package allowed goes through the door.
package allowed

import _ "example/low"
