package ast

import (
	"strconv"

	"millrace/internal/check"
)

// statement writes a statement; the kinds are spread over one function per family.
func (p *printer) statement(s Statement) {
	if q, ok := s.(*Query); ok {
		p.query(q)
		return
	}
	if p.create(s) || p.alter(s) || p.external(s) || p.dml(s) || p.streaming(s) || p.session(s) || p.transaction(s) {
		return
	}
	check.Never("format of %T", s)
}

func (p *printer) create(s Statement) bool {
	switch s := s.(type) {
	case *CreateView:
		p.put("CREATE ")
		p.when(s.OrReplace, "OR REPLACE ")
		p.when(s.Temporary, "TEMPORARY ")
		p.head("VIEW ", s.IfNotExists, s.Name)
		p.idents(s.Columns)
		p.with(s.Options)
		p.put(" AS ")
		p.query(s.Query)
	case *CreateMaterializedView:
		p.put("CREATE ")
		p.when(s.OrReplace, "OR REPLACE ")
		p.head("MATERIALIZED VIEW ", s.IfNotExists, s.Name)
		p.idents(s.Columns)
		p.inCluster(s.Cluster)
		p.with(s.Options)
		p.put(" AS ")
		p.query(s.Query)
		p.when(s.NoData, " WITH NO DATA")
	case *CreateTable:
		p.createTable(s)
	case *CreateIndex:
		p.createIndex(s)
	case *CreateSchema:
		p.put("CREATE ")
		p.head("SCHEMA ", s.IfNotExists, s.Name)
	case *CreateDatabase:
		p.put("CREATE ")
		p.head("DATABASE ", s.IfNotExists, NewName(s.Name))
	default:
		return false
	}
	return true
}

// head writes the kind of object, IF NOT EXISTS and the name.
func (p *printer) head(kind string, ifNotExists bool, name Name) {
	p.put(kind)
	p.when(ifNotExists, "IF NOT EXISTS ")
	p.name(name)
}

func (p *printer) inCluster(name string) {
	if name != "" {
		p.put(" IN CLUSTER ")
		p.ident(name)
	}
}

func (p *printer) createTable(s *CreateTable) {
	p.put("CREATE ")
	p.when(s.Temporary, "TEMPORARY ")
	p.head("TABLE ", s.IfNotExists, s.Name)
	if s.As != nil {
		p.idents(s.AsColumns)
		p.with(s.Options)
		p.put(" AS ")
		p.query(s.As)
		p.when(s.NoData, " WITH NO DATA")
		return
	}
	p.put(" ")
	p.tableElements(s.Columns, s.Constraints)
	p.with(s.Options)
}

func (p *printer) tableElements(columns []ColumnDef, constraints []TableConstraint) {
	p.put("(")
	for i, c := range columns {
		p.when(i > 0, ", ")
		p.ident(c.Name)
		p.put(" ")
		p.typeName(c.Type, false)
		if !c.Collation.IsZero() {
			p.put(" COLLATE ")
			p.name(c.Collation)
		}
		for _, k := range c.Constraints {
			p.put(" ")
			p.columnConstraint(k)
		}
	}
	for i, c := range constraints {
		p.when(i > 0 || len(columns) > 0, ", ")
		p.tableConstraint(c)
	}
	p.put(")")
}

func (p *printer) constraintName(name string) {
	if name != "" {
		p.put("CONSTRAINT ")
		p.ident(name)
		p.put(" ")
	}
}

func (p *printer) columnConstraint(c ColumnConstraint) {
	p.constraintName(c.Name)
	switch c.Kind {
	case ConstraintNotNull:
		p.put("NOT NULL")
	case ConstraintNull:
		p.put("NULL")
	case ConstraintDefault:
		p.put("DEFAULT ")
		p.expr(c.Expr, bindOp)
	case ConstraintPrimaryKey:
		p.put("PRIMARY KEY")
	case ConstraintUnique:
		p.put("UNIQUE")
	case ConstraintCheck:
		p.put("CHECK (")
		p.expr(c.Expr, 0)
		p.put(")")
	case ConstraintForeignKey:
		p.put("REFERENCES ")
		p.name(c.RefTable)
		p.idents(c.RefColumns)
	case ConstraintGenerated:
		p.put("GENERATED ALWAYS AS (")
		p.expr(c.Expr, 0)
		p.put(") STORED")
	case ConstraintIdentity:
		p.put("GENERATED ALWAYS AS IDENTITY")
	}
}

func (p *printer) tableConstraint(c TableConstraint) {
	p.constraintName(c.Name)
	switch c.Kind {
	case ConstraintPrimaryKey:
		p.put("PRIMARY KEY")
	case ConstraintUnique:
		p.put("UNIQUE")
	case ConstraintCheck:
		p.put("CHECK (")
		p.expr(c.Expr, 0)
		p.put(")")
	case ConstraintForeignKey:
		p.put("FOREIGN KEY")
	default: // the others are of columns
	}
	p.idents(c.Columns)
	if c.Kind == ConstraintForeignKey {
		p.put(" REFERENCES ")
		p.name(c.RefTable)
		p.idents(c.RefColumns)
	}
	p.when(c.NotEnforced, " NOT ENFORCED")
}

func (p *printer) createIndex(s *CreateIndex) {
	p.put("CREATE ")
	p.when(s.Default, "DEFAULT ")
	p.when(s.Unique, "UNIQUE ")
	p.put("INDEX")
	p.when(s.IfNotExists, " IF NOT EXISTS")
	if s.Name != "" {
		p.put(" ")
		p.ident(s.Name)
	}
	p.inCluster(s.Cluster)
	p.put(" ON ")
	p.name(s.On)
	if s.Method != "" {
		p.put(" USING ")
		p.ident(s.Method)
	}
	if len(s.Keys) > 0 {
		p.put(" (")
		p.orderItems(s.Keys)
		p.put(")")
	}
	p.with(s.Options)
	p.where(s.Where)
}

func (p *printer) alter(s Statement) bool {
	switch s := s.(type) {
	case *Drop:
		p.put("DROP ", s.Kind.String(), " ")
		p.when(s.IfExists, "IF EXISTS ")
		p.names(s.Names)
		p.when(s.Cascade, " CASCADE")
		p.when(s.Restrict, " RESTRICT")
	case *AlterRename:
		p.alterHead(s.Kind, s.IfExists, s.Name)
		p.put(" RENAME")
		if s.Column != "" {
			p.put(" COLUMN ")
			p.ident(s.Column)
		}
		p.put(" TO ")
		p.ident(s.NewName)
	case *AlterOptions:
		p.alterHead(s.Kind, s.IfExists, s.Name)
		if s.Reset {
			p.put(" RESET ")
		} else {
			p.put(" SET ")
		}
		p.options(s.Options)
		p.with(s.With)
	case *AlterSinkFrom:
		p.alterHead(KindSink, s.IfExists, s.Name)
		p.put(" SET FROM ")
		p.name(s.From)
	case *AlterAddMissing:
		p.alterHead(KindSource, s.IfExists, s.Name)
		p.put(" ADD MISSING COLUMNS")
	case *AlterResnapshot:
		p.alterHead(KindSource, s.IfExists, s.Name)
		p.put(" RESNAPSHOT")
	case *AlterSecret:
		p.alterHead(KindSecret, s.IfExists, s.Name)
		p.put(" AS ")
		p.expr(s.Value, 0)
	case *AlterOwner:
		p.alterHead(s.Kind, s.IfExists, s.Name)
		p.put(" OWNER TO ")
		p.role(s.Owner)
	case *AlterSetSchema:
		p.alterHead(s.Kind, s.IfExists, s.Name)
		p.put(" SET SCHEMA ")
		p.ident(s.Schema)
	case *Comment:
		p.put("COMMENT ON ", s.Kind.String(), " ")
		p.name(s.Name)
		p.put(" IS ")
		if s.Removed {
			p.put("NULL")
		} else {
			p.literal(s.Text)
		}
	case *Unsupported:
		p.put(s.Text)
	default:
		return false
	}
	return true
}

// role writes the name of a role, or CURRENT_USER and its kin as they are.
func (p *printer) role(name string) {
	if name == "current_user" || name == "session_user" || name == "current_role" {
		p.put(name)
		return
	}
	p.ident(name)
}

func (p *printer) alterHead(kind ObjectKind, ifExists bool, name Name) {
	p.put("ALTER ", kind.String(), " ")
	p.when(ifExists, "IF EXISTS ")
	p.name(name)
}

func (p *printer) dml(s Statement) bool {
	switch s := s.(type) {
	case *Insert:
		p.insert(s)
	case *Update:
		p.update(s)
	case *Delete:
		p.leadingWith(s.With)
		p.put("DELETE FROM ")
		p.name(s.Table)
		p.alias(s.Alias)
		p.from(" USING ", s.Using)
		p.where(s.Where)
		p.returning(s.Returning)
	case *Truncate:
		p.put("TRUNCATE ")
		p.names(s.Tables)
		p.when(s.Cascade, " CASCADE")
	case *Copy:
		p.copy(s)
	default:
		return false
	}
	return true
}

func (p *printer) leadingWith(w *With) {
	if w != nil {
		p.withClause(w)
	}
}

func (p *printer) returning(list []Target) {
	if len(list) > 0 {
		p.put(" RETURNING")
		p.targets(list)
	}
}

func (p *printer) insert(s *Insert) {
	s = s.Plain()
	p.leadingWith(s.With)
	p.put("INSERT INTO ")
	p.name(s.Table)
	if s.Alias != "" {
		p.put(" AS ")
		p.ident(s.Alias)
	}
	p.idents(s.Columns)
	if s.Query == nil {
		p.put(" DEFAULT VALUES")
	} else {
		p.put(" ")
		p.query(s.Query)
	}
	p.when(s.OnConflict, " ON CONFLICT DO NOTHING")
	p.returning(s.Returning)
}

func (p *printer) update(s *Update) {
	p.leadingWith(s.With)
	p.put("UPDATE ")
	p.name(s.Table)
	p.alias(s.Alias)
	p.put(" SET")
	for i, a := range s.Set {
		p.when(i > 0, ",")
		if a.Multiple {
			p.idents(a.Columns)
		} else {
			p.put(" ")
			p.ident(a.Columns[0].Name)
		}
		p.put(" = ")
		p.expr(a.Value, 0)
	}
	p.from(" FROM ", s.From)
	p.where(s.Where)
	p.returning(s.Returning)
}

func (p *printer) copy(s *Copy) {
	p.put("COPY ")
	switch {
	case s.Query != nil:
		p.parenQuery(s.Query)
	case s.Subscribe != nil:
		p.put("(")
		p.subscribe(s.Subscribe)
		p.put(")")
	default:
		p.name(s.Table)
		p.idents(s.Columns)
	}
	device, word := "STDOUT", " TO "
	if s.From {
		device, word = "STDIN", " FROM "
	}
	p.put(word)
	const program = "PROGRAM "
	switch {
	case s.Target == "":
		p.put(device)
	case len(s.Target) > len(program) && s.Target[:len(program)] == program:
		p.put(program)
		p.literal(s.Target[len(program):])
	default:
		p.literal(s.Target)
	}
	p.with(s.Options)
}

// count writes a number.
func (p *printer) count(n int64) { p.put(strconv.FormatInt(n, 10)) }
