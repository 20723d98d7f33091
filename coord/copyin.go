package coord

import (
	"context"

	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/plan"
)

// CopyIn takes the rows of a COPY … FROM STDIN. They are one transaction, or belong to the one that is open: nothing is
// seen of them before Finish.
type CopyIn struct {
	Format *CopyFormat
	Table  string
	Cols   repr.RowDesc // in the order in which their values come

	s        *Session
	id       uint64
	desc     repr.RowDesc
	places   []int       // of Cols in the table; -1 for those that are not given
	defaults []expr.Eval // of those that are not given; nil for the others
	alone    bool        // it is a transaction of its own
	writes   []write
	bytes    int
	slab     []byte         // rows are cut from it
	memory   *budget.Budget // of the transaction
	owed     int64          // bytes that are not counted in it yet
}

// slabBytes is how much is taken at once for rows.
const slabBytes = 64 << 10

// copyIn begins COPY … FROM STDIN.
func (s *Session) copyIn(ctx context.Context, st *ast.Copy, f *CopyFormat) (*CopyIn, *repr.Error) {
	if s.tx.readOnly {
		return nil, repr.NewError("25006", "cannot execute COPY FROM in a read-only transaction")
	}
	env := s.env(s.c.Catalog())
	into, err := plan.CopyInto(env, st.Table, st.Columns)
	if err != nil {
		return nil, err
	}
	memory, err := s.transactionBudget(ctx)
	if err != nil {
		return nil, err
	}
	in := &CopyIn{Format: f, Table: into.Table.Name, s: s, id: into.Table.ID, desc: into.Table.Desc, memory: memory,
		places: make([]int, len(into.Table.Desc)), defaults: make([]expr.Eval, len(into.Table.Desc))}
	for i := range in.places {
		in.places[i] = -1
	}
	for i, p := range into.Places {
		in.places[p] = i
		in.Cols = append(in.Cols, in.desc[p])
	}
	for i, p := range in.places {
		if p < 0 {
			in.defaults[i] = expr.Compile(into.Defaults[i], env.Eval)
		}
	}
	return in, nil
}

// Add takes a row: the values of Cols.
func (in *CopyIn) Add(values []repr.Datum) *repr.Error {
	from := len(in.slab)
	if from > slabBytes {
		in.slab, from = make([]byte, 0, slabBytes+slabBytes/4), 0
	}
	var none expr.Row
	for i, p := range in.places {
		var d repr.Datum
		if p >= 0 {
			d = values[p]
		} else {
			var err *repr.Error
			if d, err = in.defaults[i](&none); err != nil {
				return err
			}
		}
		if d.IsNull() && in.desc[i].NotNull {
			return repr.NewError(repr.CodeNotNullViolation, "null value in column \""+in.desc[i].Name+"\" of relation \""+in.Table+
				"\" violates not-null constraint").WithDetail("column number " + itoa(int64(i+1)))
		}
		in.slab = repr.Append(in.slab, d)
	}
	row := in.slab[from:len(in.slab):len(in.slab)]
	if in.bytes += len(row); in.bytes > maxCommitBytes {
		return errLargeCommit
	}
	in.writes = append(in.writes, write{table: in.id, row: row, diff: 1})
	if in.owed += int64(len(row)) + writeBytes; in.owed > slabBytes {
		return in.count()
	}
	return nil
}

// count takes the rows that came since the last time into account.
func (in *CopyIn) count() *repr.Error {
	n := in.owed
	in.owed = 0
	if err := takeRoom(in.memory, n, "what it writes"); err != nil {
		return err
	}
	return in.s.c.memory.roomToWrite(in.memory)
}

// Finish ends the rows, and commits them unless a transaction is open. It gives the command tag.
func (in *CopyIn) Finish(ctx context.Context) (string, *repr.Error) {
	n := int64(len(in.writes))
	if err := in.count(); err != nil {
		in.s.Fail()
		return "", err
	}
	in.s.tx.writes = append(in.s.tx.writes, in.writes...)
	in.writes, in.slab = nil, nil
	if in.alone {
		if err := in.s.commit(ctx); err != nil {
			in.s.Fail()
			return "", err
		}
	}
	return "COPY " + itoa(n), nil
}
