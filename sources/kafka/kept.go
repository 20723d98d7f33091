package kafka

import (
	"encoding/json"
	"fmt"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// keptShape is how the columns are kept that were found out by asking: those of the next start are the same, whatever the registry
// or the topic says by then.
type keptShape struct {
	Message string       `json:"message,omitempty"` // of Protobuf
	Columns []keptColumn `json:"columns"`
	// Of JSON: rows end with what no column has, and of that some members were made columns later.
	Rest  bool         `json:"rest,omitempty"`
	Added []keptColumn `json:"added,omitempty"`
}

type keptColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Element bool   `json:"array,omitempty"` // Type is that of the elements
}

func keep(message string, cols repr.RowDesc) (string, error) {
	return keptShape{Message: message, Columns: keepColumns(cols)}.text()
}

func (k keptShape) text() (string, error) {
	b, err := json.Marshal(k)
	return string(b), err
}

func keepColumns(cols repr.RowDesc) (out []keptColumn) {
	for _, c := range cols {
		t := c.Type
		one := keptColumn{Name: c.Name, Element: t.Kind == repr.KindArray}
		if one.Element {
			t = repr.TypeOf(t.Elem)
		}
		one.Type = t.String()
		out = append(out, one)
	}
	return out
}

func unkeep(text string) (k keptShape, cols repr.RowDesc, err error) {
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return k, nil, fmt.Errorf("read the columns that were kept: %w", err)
	}
	cols, err = unkeepColumns(k.Columns)
	return k, cols, err
}

func unkeepColumns(kept []keptColumn) (cols repr.RowDesc, err error) {
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
	k, _, err := unkeep(text)
	if err != nil {
		return "", err
	}
	k.Added = append(k.Added, keepColumns(cols)...)
	return k.text()
}
