package parse

import (
	"millrace/sql/ast"
)

// showKinds are the lists that SHOW can make, by their keyword.
var showKinds = map[string]ast.ShowKind{
	"tables": ast.ShowTables, "views": ast.ShowViews, "sources": ast.ShowSources, "sinks": ast.ShowSinks,
	"indexes": ast.ShowIndexes, "index": ast.ShowIndexes, "keys": ast.ShowIndexes, "indices": ast.ShowIndexes,
	"columns": ast.ShowColumns, "connections": ast.ShowConnections, "secrets": ast.ShowSecrets,
	"schemas": ast.ShowSchemas, "databases": ast.ShowDatabases, "objects": ast.ShowObjectsKind,
	"clusters": ast.ShowClusters, "roles": ast.ShowRoles, "types": ast.ShowTypes,
	"subscriptions": ast.ShowSubscriptions,
}

// show reads SHOW of a list, of a definition, or of a setting.
func (p *parser) show() ast.Statement {
	at := p.at()
	p.expect("show")
	if p.accept("create") {
		return p.showCreate(at)
	}
	out := &ast.ShowObjects{At: at}
	save := p.pos
	out.Full = p.accept("full")
	out.Terse = p.accept("terse") || p.accept("extended")
	if p.accept("materialized") {
		if p.accept("sources") {
			out.Kind = ast.ShowSources
		} else {
			p.expect("views")
			out.Kind = ast.ShowMaterializedViews
		}
		return p.showObjects(out)
	}
	kind, ok := showKinds[p.peek().text]
	if ok && p.peek().kind == tokWord && !p.peekAt(1).is(".") {
		out.Kind = kind
		p.skip(1)
		return p.showObjects(out)
	}
	p.pos = save
	return p.showVar(at)
}

// showCreate reads SHOW CREATE kind name.
func (p *parser) showCreate(at ast.At) ast.Statement {
	out := &ast.ShowCreate{At: at}
	kind, ok := p.objectKind()
	if !ok {
		p.unexpected()
		return out
	}
	out.Kind, out.Name = kind, p.name()
	return out
}

// showObjects reads what narrows the list.
func (p *parser) showObjects(out *ast.ShowObjects) ast.Statement {
	for p.err == nil {
		switch {
		case out.Cluster == "" && p.nextIs("in", "cluster"):
			out.Cluster = p.inCluster()
		case out.Schema.IsZero() && (p.accept("from") || p.accept("in") || p.accept("on")):
			out.Schema = p.name()
		case !out.HasLike && out.Where == nil && p.accept("like"):
			out.HasLike, out.Like = true, p.stringConst()
		case !out.HasLike && out.Where == nil && p.accept("where"):
			out.Where = p.exprIn(p.pos, p.end())
		default:
			return out
		}
	}
	return out
}

// showVar reads SHOW of a setting.
func (p *parser) showVar(at ast.At) ast.Statement {
	out := &ast.ShowVar{At: at}
	switch {
	case p.accept("all"):
		out.Name = "all"
	case p.accept("time", "zone"):
		out.Name = "timezone"
	case p.accept("transaction", "isolation", "level"):
		out.Name = "transaction_isolation"
	case p.accept("session", "authorization"):
		out.Name = "session_authorization"
	default:
		out.Name = p.settingName()
	}
	return out
}
