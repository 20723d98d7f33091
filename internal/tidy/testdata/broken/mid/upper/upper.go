// Package upper is above.
package upper

import _ "example/mid"
