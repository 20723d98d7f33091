package ast

import "strings"

// streaming writes subscriptions, cursors and EXPLAIN.
func (p *printer) streaming(s Statement) bool {
	switch s := s.(type) {
	case *Subscribe:
		p.subscribe(s)
	case *CreateSubscription:
		p.put("CREATE ")
		p.head("SUBSCRIPTION ", s.IfNotExists, s.Name)
		p.put(" ON ")
		p.name(s.On)
		p.with(s.Options)
	case *Acknowledge:
		p.put("ACKNOWLEDGE ")
		p.name(s.Name)
		p.put(" AT ")
		p.expr(s.Time, 0)
	case *Declare:
		p.declare(s)
	case *Fetch:
		p.fetch(s)
	case *Close:
		p.put("CLOSE ")
		p.identOrAll(s.Name, s.All)
	case *Explain:
		p.explain(s)
	default:
		return false
	}
	return true
}

func (p *printer) identOrAll(name string, all bool) {
	if all {
		p.put("ALL")
		return
	}
	p.ident(name)
}

func (p *printer) subscribe(s *Subscribe) {
	if s.Tail {
		p.put("TAIL ")
	} else {
		p.put("SUBSCRIBE ")
	}
	if s.Query != nil {
		p.parenQuery(s.Query)
	} else {
		p.name(s.Name)
	}
	p.envelope(s.Envelope)
	if len(s.Within) > 0 {
		p.put(" WITHIN TIMESTAMP ")
		p.orderBy(s.Within)
	}
	p.with(s.Options)
	if s.AsOf != nil {
		p.asOf(s.AsOf)
	}
	if s.UpTo != nil {
		p.put(" UP TO ")
		p.expr(s.UpTo, 0)
	}
}

func (p *printer) declare(s *Declare) {
	p.put("DECLARE ")
	p.ident(s.Name)
	p.when(s.Binary, " BINARY")
	if s.Scroll != nil {
		p.when(!*s.Scroll, " NO")
		p.put(" SCROLL")
	}
	p.put(" CURSOR ")
	p.when(s.Hold, "WITH HOLD ")
	p.put("FOR ")
	if s.Subscribe != nil {
		p.subscribe(s.Subscribe)
	} else {
		p.query(s.Query)
	}
}

func (p *printer) fetch(s *Fetch) {
	if s.Move {
		p.put("MOVE ")
	} else {
		p.put("FETCH ")
	}
	p.put([...]string{FetchForward: "FORWARD ", FetchBackward: "BACKWARD ", FetchAbsolute: "ABSOLUTE ",
		FetchRelative: "RELATIVE ", FetchFirst: "FIRST ", FetchLast: "LAST "}[s.Direction])
	switch {
	case s.All:
		p.put("ALL ")
	case s.Direction != FetchFirst && s.Direction != FetchLast:
		p.count(s.Count)
		p.put(" ")
	}
	p.put("FROM ")
	p.ident(s.Cursor)
	p.with(s.Options)
}

func (p *printer) explain(s *Explain) {
	p.put("EXPLAIN ")
	if s.Stage != ExplainDefault {
		p.put(s.Stage.String(), " PLAN")
		p.with(s.Options)
		p.put(" FOR ")
	} else if len(s.Options) > 0 {
		p.options(s.Options)
		p.put(" ")
	}
	p.when(s.Analyze, "ANALYZE ")
	p.when(s.Verbose, "VERBOSE ")
	if s.Statement != nil {
		p.statement(s.Statement)
		return
	}
	p.put(s.Kind.String(), " ")
	p.name(s.Name)
}

// session writes SET, SHOW, PREPARE and the like.
func (p *printer) session(s Statement) bool {
	switch s := s.(type) {
	case *SetVar:
		p.setVar(s)
	case *ResetVar:
		p.put("RESET ")
		if s.Name == "" {
			p.put("ALL")
		} else {
			p.setting(s.Name)
		}
	case *ShowVar:
		p.put("SHOW ")
		if s.Name == "all" {
			p.put("ALL")
		} else {
			p.setting(s.Name)
		}
	case *ShowObjects:
		p.showObjects(s)
	case *ShowCreate:
		p.put("SHOW CREATE ", s.Kind.String(), " ")
		p.name(s.Name)
	case *Prepare:
		p.prepare(s)
	case *Execute:
		p.put("EXECUTE ")
		p.ident(s.Name)
		if len(s.Args) > 0 {
			p.put("(")
			p.exprs(s.Args)
			p.put(")")
		}
	case *Deallocate:
		p.put("DEALLOCATE ")
		p.identOrAll(s.Name, s.All)
	case *Discard:
		p.put("DISCARD ", s.What)
	default:
		return false
	}
	return true
}

// settingWords are names that mean something else behind SET, RESET or SHOW without quotes.
var settingWords = words(`all local session transaction time names schema role create full terse extended
	materialized tables views sources sinks indexes index keys indices columns connections secrets schemas
	databases objects clusters roles types subscriptions`)

// setting writes the name of a setting, of which each part may be any word.
func (p *printer) setting(name string) {
	for i, part := range strings.Split(name, ".") {
		p.when(i > 0, ".")
		if settingWords[part] {
			p.put(`"`, part, `"`)
			continue
		}
		p.ident(part)
	}
}

func (p *printer) setVar(s *SetVar) {
	p.put("SET ")
	p.when(s.Scope == ScopeLocal, "LOCAL ")
	p.setting(s.Name)
	p.put(" = ")
	p.when(s.Default, "DEFAULT")
	for i, v := range s.Values {
		p.when(i > 0, ", ")
		p.optionValue(v)
	}
}

func (p *printer) showObjects(s *ShowObjects) {
	p.put("SHOW ")
	p.when(s.Full, "FULL ")
	p.when(s.Terse, "TERSE ")
	p.put(s.Kind.String())
	p.inCluster(s.Cluster)
	if !s.Schema.IsZero() {
		p.put(" FROM ")
		p.name(s.Schema)
	}
	if s.HasLike {
		p.put(" LIKE ")
		p.literal(s.Like)
	}
	p.where(s.Where)
}

func (p *printer) prepare(s *Prepare) {
	p.put("PREPARE ")
	p.ident(s.Name)
	for i, t := range s.Types {
		if i == 0 {
			p.put(" (")
		} else {
			p.put(", ")
		}
		p.typeName(t, false)
	}
	p.when(len(s.Types) > 0, ")")
	p.put(" AS ")
	p.statement(s.Statement)
}

// transaction writes the statements that bound transactions.
func (p *printer) transaction(s Statement) bool {
	switch s := s.(type) {
	case *Begin:
		p.put("BEGIN")
		p.modes(s.Modes)
	case *SetTransaction:
		p.put("SET ")
		p.when(s.Session, "SESSION CHARACTERISTICS AS ")
		p.put("TRANSACTION")
		if s.Snapshot != "" {
			p.put(" SNAPSHOT ")
			p.literal(s.Snapshot)
		}
		p.modes(s.Modes)
	case *Commit:
		p.put("COMMIT")
		p.when(s.Chain, " AND CHAIN")
	case *Rollback:
		p.put("ROLLBACK")
		p.when(s.Chain, " AND CHAIN")
	case *Savepoint:
		p.put([...]string{SavepointSet: "SAVEPOINT ", SavepointRelease: "RELEASE SAVEPOINT ",
			SavepointRollback: "ROLLBACK TO SAVEPOINT "}[s.Verb])
		p.ident(s.Name)
	default:
		return false
	}
	return true
}

func (p *printer) modes(list []TransactionMode) {
	for i, m := range list {
		p.when(i > 0, ",")
		p.put(" ", strings.ToUpper(m.Name))
		p.when(m.Value != "", " ", strings.ToUpper(m.Value))
	}
}
