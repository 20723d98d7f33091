package coord

import (
	"maps"
	"slices"
	"strings"

	"millrace/repr"
	"millrace/sql/ast"
)

// unknownOption refuses an option that is not among those that there are, which it names.
func unknownOption(o *ast.Option, of string, known ...string) *repr.Error {
	return unsupported("the option "+strings.ToUpper(o.Name)+of, o.Pos).WithHint("the options are " + optionNames(known))
}

// optionNames are options in words. A name of 2021, which has underscores, is left out where one of today is there.
func optionNames(known []string) string {
	names := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return strings.Contains(name, "_") })
	slices.Sort(names)
	list := strings.ToUpper(strings.Join(slices.Compact(names), ", "))
	if i := strings.LastIndex(list, ", "); i >= 0 {
		list = list[:i] + " and" + list[i+1:]
	}
	return list
}

// namesIn are the names in tables of options.
func namesIn[T any](tables ...map[string]T) []string {
	var out []string
	for _, t := range tables {
		out = slices.AppendSeq(out, maps.Keys(t))
	}
	return out
}

// needText refuses a sink that does not name what it writes.
func needText(st *ast.CreateSink, option, given string) *repr.Error {
	if given != "" {
		return nil
	}
	return repr.NewError(repr.CodeInvalidParameter, "a sink into "+st.Into.Kind.String()+" needs the option "+option).
		WithHint("write INTO " + st.Into.Kind.String() + " CONNECTION c (" + option + " '…')").At(st.Into.Pos)
}
