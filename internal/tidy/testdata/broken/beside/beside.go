// Package beside is beside.
package beside
