// Package counts says how often a test does a thing: a few times in CI, and as often as a release must when MILLRACE_RELEASE
// is set, as `make promises` does. Only tests import it.
package counts
