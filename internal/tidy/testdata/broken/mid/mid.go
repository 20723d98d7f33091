// Package mid imports as it should not.
package mid

import (
	_ "example/beside"
	_ "example/high"
	_ "example/low"
	_ "example/mid/upper"
	_ "example/nowhere"

	_ "example.org/stranger"
	_ "example.org/tool/sub"
)
