// Package root lies where no Go file lies.
package root
