// Package high goes through a door that is closed to it.
package high

import (
	_ "example.org/tool"
	_ "example.org/tool/extra"
	_ "example/low"
)
