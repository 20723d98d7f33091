package coord

import (
	"context"
	"strconv"

	"millrace/repr"
	"millrace/sql/ast"
)

// exec runs one statement: a case for each, and a file of its own for what is more than a line.
func (s *Session) exec(ctx context.Context, p *Prepared, args []repr.Datum) (*Result, *repr.Error) {
	given := bindings{types: p.Params, values: args}
	switch st := p.Stmt.(type) {
	case *ast.Query:
		return s.query(ctx, st, given)
	case *ast.Subscribe:
		s.noteGathered(st)
		return s.subscribeResult(ctx, st, args)
	case *ast.Acknowledge:
		return s.acknowledge(ctx, st)
	case *ast.Copy:
		return s.copy(ctx, st, given)
	case *ast.Declare, *ast.Fetch, *ast.Close:
		return s.cursorStatement(ctx, p.Stmt, given)
	case *ast.Insert, *ast.Update, *ast.Delete, *ast.Truncate:
		return s.modify(ctx, p, args)
	case *ast.Explain:
		return s.explain(ctx, st)
	case *ast.ShowVar, *ast.ShowObjects, *ast.ShowCreate:
		return s.show(ctx, p.Stmt)
	case *ast.SetVar, *ast.ResetVar, *ast.SetTransaction, *ast.Discard:
		return s.set(p.Stmt)
	case *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Savepoint:
		return s.transact(ctx, p.Stmt)
	case *ast.Prepare, *ast.Execute, *ast.Deallocate:
		return s.preparedStatement(ctx, p.Stmt)
	default:
		return s.define(ctx, p)
	}
}

// define runs the statements that change the catalog.
func (s *Session) define(ctx context.Context, p *Prepared) (*Result, *repr.Error) {
	if err := s.checkDefine(p.Stmt); err != nil {
		return nil, err
	}
	switch st := p.Stmt.(type) {
	case *ast.CreateTable:
		return s.createTable(ctx, st)
	case *ast.CreateView:
		return s.createView(ctx, st)
	case *ast.CreateMaterializedView:
		return s.createMaterializedView(ctx, st)
	case *ast.CreateIndex:
		return s.createIndex(ctx, st)
	case *ast.CreateSource:
		return s.createSource(ctx, st)
	case *ast.CreateTableFromSource:
		return s.createTableFromSource(ctx, st)
	case *ast.CreateViewsFromSource:
		return s.createViews(ctx, st)
	case *ast.CreateSink:
		return s.createSink(ctx, st)
	case *ast.CreateSubscription:
		return s.createSubscription(ctx, st)
	case *ast.CreateConnection:
		return s.createConnection(ctx, st)
	case *ast.CreateSecret:
		return s.createSecret(ctx, st)
	case *ast.AlterSecret:
		return s.alterSecret(ctx, st)
	case *ast.ValidateConnection:
		return s.validateConnection(ctx, st)
	case *ast.CreateSchema:
		return s.createSchema(ctx, st)
	case *ast.Drop:
		return s.drop(ctx, st)
	case *ast.AlterRename:
		return s.rename(ctx, st)
	case *ast.AlterOptions:
		return s.alterOptions(ctx, st)
	case *ast.AlterSinkFrom:
		return s.switchSink(ctx, st)
	case *ast.AlterAddMissing:
		return s.addMissing(ctx, st)
	case *ast.AlterResnapshot:
		return s.resnapshot(ctx, st)
	case *ast.Comment:
		return s.comment(ctx, st)
	case *ast.Unsupported:
		return nil, unsupported(st.Verb, st.Pos)
	default:
		return nil, unsupported(statementName(p.Stmt), p.Stmt.Position())
	}
}

// unsupported refuses a construct by name.
func unsupported(what string, pos int) *repr.Error {
	return repr.NewError(repr.CodeFeatureNotSupported, what+" is not supported yet").At(pos)
}

// statementName is the SQL name of a statement that has no case in define.
func statementName(stmt ast.Statement) string {
	switch stmt.(type) {
	case *ast.CreateDatabase:
		return "CREATE DATABASE"
	case *ast.AlterOwner:
		return "ALTER … OWNER TO"
	case *ast.AlterSetSchema:
		return "ALTER … SET SCHEMA"
	default:
		return "this statement"
	}
}

// checkDefine refuses, inside a transaction block, what a rollback could not undo.
func (s *Session) checkDefine(stmt ast.Statement) *repr.Error {
	if !s.tx.open || s.tx.implicit {
		return nil
	}
	if s.tx.readOnly {
		return repr.NewError("25006", "cannot execute a statement that changes the catalog in a read-only transaction")
	}
	switch stmt.(type) {
	case *ast.Drop, *ast.AlterRename, *ast.AlterOptions, *ast.AlterSinkFrom, *ast.AlterAddMissing, *ast.AlterResnapshot, *ast.AlterOwner, *ast.AlterSetSchema, *ast.AlterSecret, *ast.Comment:
		return repr.NewError(repr.CodeActiveTransaction, "DROP, ALTER and COMMENT cannot run inside a transaction block").
			WithHint("run it outside of BEGIN and COMMIT; a driver does so in autocommit mode")
	}
	return nil
}

// describe types a statement: its parameters and the columns of its result.
func (s *Session) describe(ctx context.Context, p *Prepared) *repr.Error {
	switch st := p.Stmt.(type) {
	case *ast.Query:
		return s.describeQuery(p, st)
	case *ast.Subscribe:
		return s.describeSubscribe(p, st)
	case *ast.Insert, *ast.Update, *ast.Delete:
		return s.describeModify(p)
	case *ast.Copy:
		p.CopyOut, p.CopyIn = !st.From, st.From
		return nil
	case *ast.Fetch:
		if cur := s.cursors[st.Cursor]; cur != nil && !st.Move {
			p.Cols = cur.cols
		}
		return nil
	case *ast.Explain:
		p.Cols = textColumns("QUERY PLAN")
		return nil
	case *ast.ShowVar, *ast.ShowObjects, *ast.ShowCreate:
		return s.describeShow(p)
	case *ast.Execute:
		if inner := s.prepared[st.Name]; inner != nil {
			p.Cols = inner.Cols
		}
		return nil
	}
	return nil
}

// textColumns is a result of text columns.
func textColumns(names ...string) repr.RowDesc {
	out := make(repr.RowDesc, len(names))
	for i, n := range names {
		out[i] = repr.Column{Name: n, Type: repr.TypeOf(repr.KindText)}
	}
	return out
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
