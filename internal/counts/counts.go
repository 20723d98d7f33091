package counts

import "os"

// Of is how often: few times, or as often as a release must.
func Of(few, release int) int {
	if os.Getenv("MILLRACE_RELEASE") != "" {
		return release
	}
	return few
}
