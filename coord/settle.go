package coord

import "context"

// Settle waits until all that the connector has pushed is durable. A server that keeps nothing does not wait.
func (r *sourceRun) Settle(ctx context.Context) error {
	if r.c.opts.Journal == nil {
		return nil
	}
	all := r.pushed.Load()
	for {
		var more chan struct{}
		err := r.c.do(ctx, func() {
			if r.settled < all {
				more = r.more
			}
		})
		switch {
		case err != nil:
			return err
		case more == nil:
			return nil
		}
		select {
		case <-more:
			r.c.turn(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle notes that what the last tick had of the source is durable. It runs in the loop.
func (r *sourceRun) settle() {
	if r.settled == r.settling {
		return
	}
	r.settled = r.settling
	close(r.more)
	r.more = make(chan struct{})
}
