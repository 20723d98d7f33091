// Package disk is the door to files: what keeps data goes through an FS, so that a test can put one in its place that fails,
// fills up or crashes.
package disk
