package coord

import (
	"context"
	"slices"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// secretSpec is what the catalog keeps of a secret. Its value is in the data directory, which is readable by its owner only, and in
// nothing that is shown: the text that SHOW CREATE, the system tables and a dump have of it says <hidden>.
type secretSpec struct{ value string }

// secretOf reads the value of a secret.
func secretOf(value ast.Expr) (*secretSpec, *repr.Error) {
	text, ok := value.(*ast.StringLit)
	if !ok {
		return nil, unsupported("a secret that is not a string", value.Position()).WithHint("write it as in CREATE SECRET s AS 'value'")
	}
	return &secretSpec{value: text.Value}, nil
}

// shownSecret is the text of a statement that makes a secret, without its value.
func shownSecret(st *ast.CreateSecret) string {
	shown := *st
	shown.Value = &ast.StringLit{Value: hidden}
	return ast.Format(&shown)
}

func (s *Session) createSecret(ctx context.Context, st *ast.CreateSecret) (*Result, *repr.Error) {
	const tag = "CREATE SECRET"
	spec, err := secretOf(st.Value)
	if err != nil {
		return nil, err
	}
	it, err := s.newItem(st.Name, catalog.Secret, st.IfNotExists)
	if err != nil || it == nil {
		return &Result{Tag: tag}, err
	}
	it.CreateSQL, it.Statement, it.Def = shownSecret(st), ast.Format(st), spec
	if err := s.add(ctx, it, nil); err != nil {
		return nil, err
	}
	return &Result{Tag: tag}, nil
}

// alterSecret gives a secret another value. Connections that use it, and the sources that read through them, log in with it from now on.
func (s *Session) alterSecret(ctx context.Context, st *ast.AlterSecret) (*Result, *repr.Error) {
	const tag = "ALTER SECRET"
	spec, err := secretOf(st.Value)
	if err != nil {
		return nil, err
	}
	it, err := s.findFor(ast.KindSecret, st.Name, st.IfExists)
	if err != nil || it == nil {
		return &Result{Tag: tag}, err
	}
	parsed, e := parse.Parse(it.Statement)
	if e != nil {
		return nil, asError(e)
	}
	made := parsed[0].Stmt.(*ast.CreateSecret)
	made.Value = st.Value
	altered := *it
	altered.Statement, altered.CreateSQL, altered.Def = ast.Format(made), shownSecret(made), spec
	return &Result{Tag: tag}, s.replaceOutside(ctx, it, &altered)
}

// secretNamed finds a secret.
func (s *Session) secretNamed(name ast.Name) (*catalog.Item, *repr.Error) {
	it := s.c.Catalog().FindOther(name.Parts, s.path())
	switch {
	case it == nil:
		return nil, repr.NewError(repr.CodeUndefinedObject, "secret \""+name.String()+"\" does not exist").
			WithHint("CREATE SECRET makes one; SHOW SECRETS lists them").At(name.Pos)
	case it.Kind != catalog.Secret:
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+name.String()+"\" is not a secret").WithHint("it is " + a(it.Kind)).At(name.Pos)
	case it.Failed != nil:
		return nil, errFailed(it).At(name.Pos)
	}
	return it, nil
}

// revealed are options with the values of the secrets that they name, which depends notes.
func (s *Session) revealed(options []ast.Option, depends *[]uint64) ([]ast.Option, *repr.Error) {
	options = slices.Clone(options)
	for i := range options {
		v := &options[i].Value
		if v.Kind != ast.OptionSecret {
			continue
		}
		it, err := s.secretNamed(v.Name)
		if err != nil {
			return nil, err
		}
		*v = ast.OptionValue{At: v.At, Kind: ast.OptionString, Text: it.Def.(*secretSpec).value}
		*depends = append(*depends, it.ID)
	}
	return options, nil
}
