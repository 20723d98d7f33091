package coord

import (
	"context"
	"maps"
	"strings"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
	"millrace/sql/plan"
)

// transact runs BEGIN, COMMIT, ROLLBACK and SAVEPOINT.
func (s *Session) transact(ctx context.Context, stmt ast.Statement) (*Result, *repr.Error) {
	switch st := stmt.(type) {
	case *ast.Begin:
		return s.begin(st)
	case *ast.Commit:
		return s.commitBlock(ctx)
	case *ast.Rollback:
		if !s.tx.open || s.tx.implicit {
			s.notice(Notice{Severity: "WARNING", Code: repr.CodeNoActiveTransaction, Message: "there is no transaction in progress"})
		}
		if err := s.rollback(ctx); err != nil {
			return nil, err
		}
		return &Result{Tag: "ROLLBACK"}, nil
	default:
		return nil, unsupported("SAVEPOINT", stmt.Position())
	}
}

func (s *Session) begin(st *ast.Begin) (*Result, *repr.Error) {
	if s.tx.open && !s.tx.implicit {
		s.notice(Notice{Severity: "WARNING", Code: repr.CodeActiveTransaction, Message: "there is already a transaction in progress"})
		return &Result{Tag: "BEGIN"}, nil
	}
	s.tx.open, s.tx.implicit, s.tx.readOnly = true, false, s.readOnly()
	if s.tx.started.IsZero() {
		s.tx.started = s.c.opts.Clock.Now()
	}
	return &Result{Tag: "BEGIN"}, s.modes(st.Modes)
}

// modes takes the modes of a transaction. Every isolation level is given the strongest.
func (s *Session) modes(modes []ast.TransactionMode) *repr.Error {
	for _, m := range modes {
		switch m.Name {
		case "read only":
			s.tx.readOnly = true
		case "read write":
			s.tx.readOnly = false
		case "isolation level":
			switch strings.ToLower(m.Value) {
			case "serializable", "strict serializable", "repeatable read", "read committed", "read uncommitted":
			default:
				return repr.NewError(repr.CodeSyntax, "unknown isolation level \""+m.Value+"\"").At(m.Pos)
			}
		}
	}
	return nil
}

func (s *Session) commitBlock(ctx context.Context) (*Result, *repr.Error) {
	if !s.tx.open || s.tx.implicit {
		s.notice(Notice{Severity: "WARNING", Code: repr.CodeNoActiveTransaction, Message: "there is no transaction in progress"})
	}
	if s.tx.failed {
		if err := s.rollback(ctx); err != nil {
			return nil, err
		}
		return &Result{Tag: "ROLLBACK"}, nil
	}
	if err := s.commitOrUndo(ctx); err != nil {
		return nil, err
	}
	return &Result{Tag: "COMMIT"}, nil
}

// set runs SET, RESET, SET TRANSACTION and DISCARD.
func (s *Session) set(stmt ast.Statement) (*Result, *repr.Error) {
	switch st := stmt.(type) {
	case *ast.SetVar:
		return s.setVar(st)
	case *ast.ResetVar:
		s.changing(st.Name, false)
		s.settings.reset(st.Name)
		s.report(st.Name)
		return &Result{Tag: "RESET"}, nil
	case *ast.SetTransaction:
		if st.Snapshot != "" {
			return nil, unsupported("SET TRANSACTION SNAPSHOT", st.Pos)
		}
		if st.Session {
			s.defaultModes(st.Modes)
			return &Result{Tag: "SET"}, nil
		}
		return &Result{Tag: "SET"}, s.modes(st.Modes)
	default:
		return s.discardState(stmt.(*ast.Discard))
	}
}

// defaultModes sets the modes of the transactions to come.
func (s *Session) defaultModes(modes []ast.TransactionMode) {
	for _, m := range modes {
		switch m.Name {
		case "read only":
			s.settings.values["default_transaction_read_only"] = "on"
		case "read write":
			s.settings.values["default_transaction_read_only"] = "off"
		}
	}
}

func (s *Session) setVar(st *ast.SetVar) (*Result, *repr.Error) {
	if st.Scope == ast.ScopeLocal && (!s.tx.open || s.tx.implicit) {
		s.notice(Notice{Severity: "WARNING", Code: repr.CodeNoActiveTransaction, Message: "SET LOCAL can only be used in transaction blocks"})
		return &Result{Tag: "SET"}, nil
	}
	s.changing(st.Name, st.Scope == ast.ScopeLocal)
	if st.Default {
		s.settings.reset(st.Name)
		s.report(st.Name)
		return &Result{Tag: "SET"}, nil
	}
	parts := make([]string, len(st.Values))
	for i, v := range st.Values {
		parts[i] = v.Text
		if v.Kind == ast.OptionName {
			parts[i] = v.Name.String()
		}
	}
	if err := s.settings.set(st.Name, strings.Join(parts, ", ")); err != nil {
		return nil, err.At(st.Pos)
	}
	s.report(st.Name)
	return &Result{Tag: "SET"}, nil
}

// changing remembers, inside a block, what the settings were when it began, and which of them are to return to that
// when it commits.
func (s *Session) changing(name string, local bool) {
	if !s.tx.open {
		return
	}
	if s.tx.saved == nil {
		s.tx.saved, s.tx.local = maps.Clone(s.settings.values), map[string]bool{}
	}
	switch name = strings.ToLower(name); {
	case local:
		s.tx.local[name] = true
	case name == "":
		clear(s.tx.local)
	default:
		delete(s.tx.local, name)
	}
}

// settle ends what the block did to the settings: all of it when it is undone, what was SET LOCAL when it is not.
func (s *Session) settle(undone bool) {
	if s.tx.saved == nil {
		return
	}
	before, values := s.settings.reported(), s.tx.saved
	if !undone {
		values = maps.Clone(s.settings.values)
		for name := range s.tx.local {
			delete(values, name)
			if v, ok := s.tx.saved[name]; ok {
				values[name] = v
			}
		}
	}
	s.settings.values, s.settings.opts = values, nil
	for name, now := range s.settings.reported() {
		if now != before[name] {
			s.report(name)
		}
	}
}

// report tells the client of a reported setting that may have changed; "" is all of them.
func (s *Session) report(name string) {
	if s.opts.OnParam == nil {
		return
	}
	for i := range settingTable {
		st := &settingTable[i]
		if st.reported && (name == "" || strings.EqualFold(name, st.name)) {
			v, _ := s.settings.get(st.name)
			s.opts.OnParam(st.name, v)
		}
	}
}

func (s *Session) discardState(st *ast.Discard) (*Result, *repr.Error) {
	if st.What == "ALL" {
		if s.tx.open && !s.tx.implicit {
			return nil, repr.NewError(repr.CodeActiveTransaction, "DISCARD ALL cannot run inside a transaction block").At(st.Pos)
		}
		s.settings.reset("")
		s.report("")
		s.forgetPrepared()
	}
	return &Result{Tag: "DISCARD " + st.What}, nil
}

// preparedStatement runs PREPARE, EXECUTE and DEALLOCATE.
func (s *Session) preparedStatement(ctx context.Context, stmt ast.Statement) (*Result, *repr.Error) {
	switch st := stmt.(type) {
	case *ast.Prepare:
		if s.prepared[st.Name] != nil {
			return nil, repr.NewError("42P05", "prepared statement \""+st.Name+"\" already exists").At(st.Pos)
		}
		var oids []uint32
		for _, t := range st.Types {
			typ, err := plan.Type(t)
			if err != nil {
				return nil, err
			}
			oids = append(oids, typ.OID())
		}
		p, err := s.Prepare(ctx, parse.Parsed{Stmt: st.Statement, Text: st.Text, NumParams: len(oids)}, oids)
		if err != nil {
			return nil, err
		}
		return &Result{Tag: "PREPARE"}, s.SetNamed(st.Name, p)
	case *ast.Execute:
		return s.executePrepared(ctx, st)
	default:
		d := stmt.(*ast.Deallocate)
		if d.All {
			s.forgetPrepared()
			return &Result{Tag: "DEALLOCATE ALL"}, nil
		}
		if s.prepared[d.Name] == nil {
			return nil, repr.NewError(repr.CodeInvalidStatementName, "prepared statement \""+d.Name+"\" does not exist").At(d.Pos)
		}
		return &Result{Tag: "DEALLOCATE"}, s.SetNamed(d.Name, nil)
	}
}

func (s *Session) executePrepared(ctx context.Context, st *ast.Execute) (*Result, *repr.Error) {
	p := s.prepared[st.Name]
	if p == nil {
		return nil, repr.NewError(repr.CodeInvalidStatementName, "prepared statement \""+st.Name+"\" does not exist").At(st.Pos)
	}
	if len(st.Args) != len(p.Params) {
		return nil, repr.NewError(repr.CodeSyntax, "wrong number of parameters for prepared statement \""+st.Name+"\"").
			WithDetail("expected " + itoa(int64(len(p.Params))) + " parameters but got " + itoa(int64(len(st.Args)))).At(st.Pos)
	}
	env := s.env(s.c.Catalog())
	args := make([]repr.Datum, len(st.Args))
	for i, a := range st.Args {
		d, err := plan.ConstExpr(env, a, p.Params[i])
		if err != nil {
			return nil, err
		}
		args[i] = d
	}
	return s.exec(ctx, p, args)
}

// Named gives the statement that was prepared under a name, by PREPARE or by the protocol.
func (s *Session) Named(name string) *Prepared { return s.prepared[name] }

// NamedCount is how many there are.
func (s *Session) NamedCount() int { return len(s.prepared) }

// SetNamed keeps a prepared statement under a name; nil forgets it.
func (s *Session) SetNamed(name string, p *Prepared) *repr.Error {
	if old := s.prepared[name]; old != nil {
		old.memory.Close()
		delete(s.prepared, name)
	}
	if p == nil {
		return nil
	}
	var err *repr.Error
	if p.memory, err = s.hold(sizeOfPrepared(p.Text), "a prepared statement"); err != nil {
		return err
	}
	s.prepared[name] = p
	return nil
}

// forgetPrepared forgets all prepared statements.
func (s *Session) forgetPrepared() {
	for _, p := range s.prepared {
		p.memory.Close()
	}
	clear(s.prepared)
}
