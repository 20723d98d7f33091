// Package strange is in a folder that the rules do not know.
package strange
