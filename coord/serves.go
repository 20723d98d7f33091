package coord

import "context"

// An object has goroutines of its own, in these roles.
const (
	connectorRole = iota // runs the connector of a source or a sink
	feederRole           // feeds a sink
	gateRole             // reads the topic of transactions for a source and those that name it too
	roles
)

// served is the key of whom the goroutine of a context serves.
type served struct{}

// serve says in a context whom its goroutine serves: an object, in a role.
func serve(ctx context.Context, object uint64, role int) context.Context {
	return context.WithValue(ctx, served{}, object*roles+uint64(role))
}

// Serves tells the goroutines of the server apart: a number for each that serves an object, by its context; 0 for one of a session, and
// for the one that brings everything back after a start. A simulation needs it, see Options.Turn.
func Serves(ctx context.Context) uint64 {
	n, _ := ctx.Value(served{}).(uint64)
	return n
}
