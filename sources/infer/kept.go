package infer

import (
	"encoding/json"
	"fmt"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Kept is how the columns are kept that were found out by asking: those of the next start are the same, whatever the registry
// or the topic says by then.
type Kept struct {
	Message string   `json:"message,omitempty"` // of Protobuf
	Columns []Column `json:"columns"`
	// Of JSON: rows end with what no column has, and of that some members were made columns later.
	Rest  bool     `json:"rest,omitempty"`
	Added []Column `json:"added,omitempty"`
}

// Column is a column as it is kept.
type Column struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Element bool   `json:"array,omitempty"` // Type is that of the elements
}

// Keep writes columns that were found out.
func Keep(message string, cols repr.RowDesc) (string, error) {
	return Kept{Message: message, Columns: KeepColumns(cols)}.Text()
}

// Text is how it is kept.
func (k Kept) Text() (string, error) {
	b, err := json.Marshal(k)
	return string(b), err
}

// KeepColumns are columns as they are kept.
func KeepColumns(cols repr.RowDesc) (out []Column) {
	for _, c := range cols {
		t := c.Type
		one := Column{Name: c.Name, Element: t.Kind == repr.KindArray}
		if one.Element {
			t = repr.TypeOf(t.Elem)
		}
		one.Type = t.String()
		out = append(out, one)
	}
	return out
}

// Unkeep reads what Keep or Text has written.
func Unkeep(text string) (k Kept, cols repr.RowDesc, err error) {
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return k, nil, fmt.Errorf("read the columns that were kept: %w", err)
	}
	cols, err = UnkeepColumns(k.Columns)
	return k, cols, err
}

// UnkeepColumns are the columns that were kept.
func UnkeepColumns(kept []Column) (cols repr.RowDesc, err error) {
	for _, c := range kept {
		t, ok := pgfmt.TypeNamed(c.Type)
		if !ok {
			return nil, fmt.Errorf("read the columns that were kept: type %q", c.Type)
		}
		if c.Element {
			t = repr.ArrayOf(t.Kind)
		}
		cols = append(cols, repr.Column{Name: c.Name, Type: t})
	}
	return cols, nil
}

// Widened is what is kept of a source of which members that no column had become columns.
func Widened(text string, cols repr.RowDesc) (string, error) {
	k, _, err := Unkeep(text)
	if err != nil {
		return "", err
	}
	k.Added = append(k.Added, KeepColumns(cols)...)
	return k.Text()
}

// RestColumn is the name of the last column of rows that keep what no other column has: it is nobody's to say.
const RestColumn = ""

// mostTold bounds the names that a hint tells.
const mostTold = 10

// Hint says that there are fields that no column has; empty when there are none.
func Hint(extra []string) string {
	if len(extra) == 0 {
		return ""
	}
	names := strings.Join(extra[:min(len(extra), mostTold)], ", ")
	if len(extra) > mostTold {
		names += ", …"
	}
	return "fields that are no columns were seen: " + names + "; ALTER SOURCE … ADD MISSING COLUMNS makes them columns"
}
