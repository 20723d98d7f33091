package ast

// Option is one NAME [=] value of a WITH list, a connection, a topic, COPY, EXPLAIN and the like.
type Option struct {
	At
	Name  string // lower case, words joined by single spaces: "sasl password", "start_offset"
	Value OptionValue
}

// OptionKind says what kind of value an option has.
type OptionKind uint8

// The kinds of option values.
const (
	OptionNone   OptionKind = iota // the name alone, which means true where a truth value is expected
	OptionString                   // 'text'; Text
	OptionNumber                   // 12, -1, 0.5; Text as typed, with its sign
	OptionWord                     // one or more bare words, true, on, a name; Text folded, words joined by spaces
	OptionSecret                   // SECRET name; Name
	OptionName                     // a qualified or quoted name; Name
	OptionList                     // (a, b) or [a, b]; List
	OptionExpr                     // anything else; Expr
)

// OptionValue is the value of an Option, or an item of a list value.
type OptionValue struct {
	At
	Kind OptionKind
	Text string
	Name Name
	List []OptionValue
	Expr Expr
}

// FindOption returns the option of that name (the last one, as later ones win) and whether there is one.
func FindOption(options []Option, name string) (Option, bool) {
	for i := len(options) - 1; i >= 0; i-- {
		if options[i].Name == name {
			return options[i], true
		}
	}
	return Option{}, false
}
