package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// namesOfArgs are the names by which the last arguments of a call are given, none when all are given by place.
func namesOfArgs(n *ast.FuncCall) ([]string, *repr.Error) {
	var names []string
	for _, e := range n.Args {
		arg, named := e.(*ast.NamedArg)
		switch {
		case !named && names != nil:
			return nil, errAt(repr.CodeSyntax, "positional argument cannot follow named argument", place(e))
		case !named:
			continue
		case slices.Contains(names, arg.Name):
			return nil, errAt(repr.CodeSyntax, "argument name "+quote(arg.Name)+" used more than once", arg.Pos)
		}
		names = append(names, arg.Name)
	}
	return names, nil
}

// namedArgs binds the operands of a call of which the last are given by name, and puts them in the order of the parameters.
func (x *scalars) namedArgs(n *ast.FuncCall, names []string) ([]expr.Scalar, []int, *repr.Error) {
	given := slices.Clone(n.Args)
	for i, e := range given {
		if arg, ok := e.(*ast.NamedArg); ok {
			given[i] = arg.Value
		}
	}
	operands, pos, err := x.bindAll(given)
	if err != nil {
		return nil, nil, err
	}
	name := n.Name.Last()
	undefined := fn.UndefinedByName(name, typesOf(operands), names).At(n.Pos)
	places, ok := fn.ByName(name, len(operands), names)
	if !ok {
		return nil, nil, undefined
	}
	args, argPos := make([]expr.Scalar, len(places)), make([]int, len(places))
	for i, from := range places {
		if from < 0 {
			args[i] = &expr.Const{Val: repr.IntOf(repr.KindInt4, 0), Typ: repr.TypeOf(repr.KindInt4)}
			continue
		}
		args[i], argPos[i] = operands[from], pos[from]
	}
	if isSetFunc(n) {
		_, err = fn.ResolveTable(name, typesOf(args))
	} else {
		_, err = fn.Resolve(name, typesOf(args))
	}
	if err != nil && err.Code == repr.CodeUndefinedFunction {
		return nil, nil, undefined
	}
	return args, argPos, nil // of another error the caller hears when it looks for the function
}

func typesOf(list []expr.Scalar) []repr.Type {
	out := make([]repr.Type, len(list))
	for i, s := range list {
		out[i] = s.Type()
	}
	return out
}
