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
}

type keptColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Element bool   `json:"array,omitempty"` // Type is that of the elements
}

func keep(message string, cols repr.RowDesc) (string, error) {
	k := keptShape{Message: message}
	for _, c := range cols {
		t := c.Type
		one := keptColumn{Name: c.Name, Element: t.Kind == repr.KindArray}
		if one.Element {
			t = repr.TypeOf(t.Elem)
		}
		one.Type = t.String()
		k.Columns = append(k.Columns, one)
	}
	b, err := json.Marshal(k)
	return string(b), err
}

func unkeep(text string) (message string, cols repr.RowDesc, err error) {
	var k keptShape
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return "", nil, fmt.Errorf("read the columns that were kept: %w", err)
	}
	for _, c := range k.Columns {
		t, ok := pgfmt.TypeNamed(c.Type)
		if !ok {
			return "", nil, fmt.Errorf("read the columns that were kept: type %q", c.Type)
		}
		if c.Element {
			t = repr.ArrayOf(t.Kind)
		}
		cols = append(cols, repr.Column{Name: c.Name, Type: t})
	}
	return k.Message, cols, nil
}
