package coord

import (
	"fmt"
	"runtime/debug"

	"millrace/repr"
)

// guarded runs f and makes an error of a panic, which is a bug of ours: it ends what f did and no more.
func (c *Coordinator) guarded(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			c.opts.Log.Error("a bug ended "+what, "panic", fmt.Sprint(p), "stack", string(stack))
			c.opts.OnBug(what, p, stack)
			err = repr.NewError(repr.CodeInternal, fmt.Sprintf("internal error in %s: %v", what, p)).
				WithHint("the server goes on; please report this with what you did")
		}
	}()
	return f()
}

// guardedStatement runs a part of a statement on its connection's goroutine. A panic, which planning is the likeliest to have, is
// an error of this statement: the session goes on, and its transaction fails as with any other.
func guardedStatement[T any](c *Coordinator, f func() (T, *repr.Error)) (out T, failure *repr.Error) {
	bug := c.guarded("a statement", func() error {
		out, failure = f()
		return nil
	})
	if bug != nil {
		failure = asError(bug)
	}
	return out, failure
}
