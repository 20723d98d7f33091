package fn

import (
	"slices"
	"strings"

	"millrace/repr"
)

// params are the names that PostgreSQL 15 gives to parameters. So many of the first have to be given; the others have a default,
// and are left out behind the last that is given.
type params struct {
	names  []string
	needed int
}

// parameters are the functions of which parameters have names.
var parameters = map[string]params{
	"make_date":                 {strings.Fields("year month day"), 3},
	"make_time":                 {strings.Fields("hour min sec"), 3},
	"make_timestamp":            {strings.Fields("year month mday hour min sec"), 6},
	"make_timestamptz":          {strings.Fields("year month mday hour min sec timezone"), 6},
	"make_interval":             {strings.Fields("years months weeks days hours mins secs"), 0},
	"jsonb_set":                 {strings.Fields("jsonb_in path replacement create_if_missing"), 3},
	"jsonb_insert":              {strings.Fields("jsonb_in path replacement insert_after"), 3},
	"json_array_elements":       {[]string{"from_json"}, 1},
	"json_array_elements_text":  {[]string{"from_json"}, 1},
	"jsonb_array_elements":      {[]string{"from_json"}, 1},
	"jsonb_array_elements_text": {[]string{"from_json"}, 1},
	"json_each":                 {[]string{"from_json"}, 1},
	"json_each_text":            {[]string{"from_json"}, 1},
	"jsonb_each":                {[]string{"from_json"}, 1},
	"jsonb_each_text":           {[]string{"from_json"}, 1},
}

// ByName puts the operands of a call in the order of the parameters; the last of them, as many as there are names, are given by
// name. At each place is the number of an operand, or -1 for the default: of those before the last operand it is 0 everywhere.
// It does not say whether the types are right.
func ByName(name string, operands int, names []string) (places []int, ok bool) {
	p := parameters[name]
	if operands > len(p.names) {
		return nil, false
	}
	byPlace := operands - len(names)
	places = make([]int, len(p.names))
	for i := range places {
		places[i] = -1
		if i < byPlace {
			places[i] = i
		}
	}
	last := byPlace
	for i, n := range names {
		at := slices.Index(p.names, n)
		if at < 0 || places[at] >= 0 {
			return nil, false
		}
		places[at] = byPlace + i
		last = max(last, at+1)
	}
	places = places[:last]
	missing := slices.Index(places, -1)
	return places, last >= p.needed && (missing < 0 || missing >= p.needed)
}

// UndefinedByName is the error for a call whose last operands are given by name, when there is no such function.
func UndefinedByName(name string, args []repr.Type, names []string) *repr.Error {
	list := make([]string, len(args))
	for i, t := range args {
		list[i] = plain(t).String()
		if n := i - (len(args) - len(names)); n >= 0 {
			list[i] = names[n] + " => " + list[i]
		}
	}
	return repr.NewError(repr.CodeUndefinedFunction, "function "+name+"("+strings.Join(list, ", ")+") does not exist").
		WithHint("No function matches the given name and argument types. " + castHint)
}
