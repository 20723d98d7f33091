package coord

import (
	"context"
	"time"

	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sql/ast"
)

// cursor is an open DECLAREd cursor.
type cursor struct {
	cols repr.RowDesc
	rows Rows
}

func (c *cursor) close() { c.rows.Close() }

// cursorStatement runs DECLARE, FETCH, MOVE and CLOSE.
func (s *Session) cursorStatement(ctx context.Context, stmt ast.Statement, given bindings) (*Result, *repr.Error) {
	switch st := stmt.(type) {
	case *ast.Declare:
		return s.declare(ctx, st, given)
	case *ast.Fetch:
		return s.fetch(ctx, st)
	default:
		return s.closeCursor(stmt.(*ast.Close))
	}
}

func (s *Session) declare(ctx context.Context, st *ast.Declare, given bindings) (*Result, *repr.Error) {
	switch {
	case !s.tx.open:
		return nil, repr.NewError(repr.CodeNoActiveTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	case st.Hold:
		return nil, unsupported("DECLARE … WITH HOLD", st.Pos)
	case st.Scroll != nil && *st.Scroll:
		return nil, unsupported("DECLARE … SCROLL", st.Pos)
	case s.cursors[st.Name] != nil:
		return nil, repr.NewError("42P03", "cursor \""+st.Name+"\" already exists").At(st.Pos)
	}
	var res *Result
	var err *repr.Error
	if st.Subscribe != nil {
		res, err = s.subscribeResult(ctx, st.Subscribe, given.values)
	} else {
		res, err = s.query(ctx, st.Query, given)
	}
	if err != nil {
		return nil, err
	}
	s.cursors[st.Name] = &cursor{cols: res.Cols, rows: res.Rows}
	return &Result{Tag: "DECLARE CURSOR"}, nil
}

func (s *Session) fetch(ctx context.Context, st *ast.Fetch) (*Result, *repr.Error) {
	cur := s.cursors[st.Cursor]
	if cur == nil {
		return nil, repr.NewError(repr.CodeInvalidCursor, "cursor \""+st.Cursor+"\" does not exist").At(st.Pos)
	}
	if st.Direction != ast.FetchForward || st.Count < 0 {
		return nil, unsupported("FETCH other than forward", st.Pos)
	}
	limit := st.Count
	if st.All {
		limit = -1
	}
	timeout, err := fetchTimeout(st)
	if err != nil {
		return nil, err
	}
	memory, err := s.statementBudget(ctx)
	if err != nil {
		return nil, err
	}
	f := &fetching{s: s, cur: cur, limit: limit, timeout: timeout, memory: memory}
	if err := f.run(ctx); err != nil {
		memory.Close()
		return nil, err
	}
	if st.Move {
		memory.Close()
		return &Result{Tag: "MOVE " + itoa(int64(len(f.rows)))}, nil
	}
	return &Result{Tag: "FETCH", Cols: cur.cols, Rows: &listRows{rows: f.rows, free: memory.Close}}, nil
}

// fetchTimeout reads WITH (timeout = '1s'); negative means that none was given.
func fetchTimeout(st *ast.Fetch) (time.Duration, *repr.Error) {
	timeout := time.Duration(-1)
	for _, o := range st.Options {
		if o.Name != "timeout" {
			return 0, repr.NewError(repr.CodeInvalidParameter, "unknown option \""+o.Name+"\" of FETCH").
				WithHint("the option is timeout, as in WITH (timeout = '1s')").At(o.Pos)
		}
		d, ok := parseDuration(o.Value.Text)
		if !ok {
			return 0, repr.NewError(repr.CodeInvalidParameter, "invalid timeout \""+o.Value.Text+"\"").
				WithHint("write it like '1s' or '500ms'").At(o.Pos)
		}
		timeout = d
	}
	return timeout, nil
}

// fetching takes rows from a cursor.
type fetching struct {
	s       *Session
	cur     *cursor
	limit   int64 // negative: all
	timeout time.Duration
	memory  *budget.Budget
	rows    [][]byte
}

// run takes the rows. From a subscription it takes what is there, waiting until there are limit rows or the timeout has passed;
// without a timeout it waits for the first row only.
func (f *fetching) run(ctx context.Context) *repr.Error {
	if stream, live := f.cur.rows.(*subscribeRows); live {
		return f.follow(ctx, stream)
	}
	for !f.enough() {
		row, ok, err := f.cur.rows.Next(ctx)
		if err == nil && ok {
			err = f.add(row)
		}
		if err != nil || !ok {
			return err
		}
	}
	return nil
}

func (f *fetching) enough() bool { return f.limit >= 0 && int64(len(f.rows)) >= f.limit }

// add copies a row.
func (f *fetching) add(row []byte) *repr.Error {
	f.rows = append(f.rows, append([]byte(nil), row...))
	return takeRoom(f.memory, int64(len(row)+2*rowHeadBytes), "the rows fetched")
}

func (f *fetching) follow(ctx context.Context, stream *subscribeRows) *repr.Error {
	var deadline <-chan time.Time
	if f.timeout >= 0 {
		deadline = f.s.c.opts.Clock.After(f.timeout)
	}
	for !f.enough() {
		row, more, err := stream.Poll()
		if err == nil && row != nil {
			err = f.add(row)
		}
		if err != nil {
			return err
		}
		if row != nil {
			continue
		}
		if !more || (f.timeout < 0 && len(f.rows) > 0) {
			return nil
		}
		select {
		case <-stream.s.sub.wake:
		case <-deadline:
			return nil
		case <-ctx.Done():
			return ctxError(ctx)
		}
	}
	return nil
}

func (s *Session) closeCursor(st *ast.Close) (*Result, *repr.Error) {
	if st.All {
		for name, cur := range s.cursors {
			cur.close()
			delete(s.cursors, name)
		}
		return &Result{Tag: "CLOSE CURSOR ALL"}, nil
	}
	cur := s.cursors[st.Name]
	if cur == nil {
		return nil, repr.NewError(repr.CodeInvalidCursor, "cursor \""+st.Name+"\" does not exist").At(st.Pos)
	}
	cur.close()
	delete(s.cursors, st.Name)
	return &Result{Tag: "CLOSE CURSOR"}, nil
}

// CursorCols are the columns of an open cursor: for the protocol a cursor is a portal too.
func (s *Session) CursorCols(name string) (repr.RowDesc, bool) {
	cur := s.cursors[name]
	if cur == nil {
		return nil, false
	}
	return cur.cols, true
}
