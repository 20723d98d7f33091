package op

import (
	"sync/atomic"

	"millrace/arrangement"
	"millrace/repr"
)

// Errors takes the errors of rows. Pack makes an error row of an error and the row that caused it.
type Errors struct {
	Rows *arrangement.Builder
	Pack func(dst []byte, e *repr.Error, row []byte) []byte
	Stop *atomic.Bool // the step is given up: what is put out no longer counts; nil: it never is
}

func (e *Errors) stopped() bool { return e.Stop != nil && e.Stop.Load() }

// Add notes that a row with the count diff fails.
func (e *Errors) Add(err *repr.Error, row []byte, diff repr.Diff) {
	e.Rows.Keep(e.Pack(e.Rows.Open(), err, row), diff)
}
