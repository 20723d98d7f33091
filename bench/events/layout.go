package events

import (
	"fmt"
	"path/filepath"
	"strings"

	"millrace/repr"
)

// Table is one of the tables of a file. Its place in File.Tables is the number that a Batch calls it by.
type Table struct {
	Name    string
	Columns repr.RowDesc
}

// field is how one field of a record becomes a column of its row.
type field uint8

const (
	fieldInt    field = iota // eight bytes → bigint
	fieldMillis              // eight bytes, milliseconds since 1970 → timestamp
	fieldText                // two bytes of length, then the text → text
	fieldSkip                // eight bytes that the table has no column for
)

// layout is the form of one kind of file.
type layout struct {
	name   string
	counts int  // numbers in the header: records, and for some how many of them are the load
	tagged int  // bytes of the table number before each record: 0, 1 or 8
	diff   bool // whether each record ends with its diff; without it, it is an insertion
	tables []tableLayout
}

type tableLayout struct {
	Table
	// fields in the order of the file; columns stand in the same order.
	fields []field
}

// layouts are the kinds of file, each found by how the name of the file begins.
var layouts = []*layout{
	{name: "nexmark", counts: 1, tagged: 1, tables: []tableLayout{
		table("person", "id:int ts:millis name:text email:text cc:text city:text state:text extra:text"),
		table("auction", "id:int item:text descr:text initb:int reserve:int ts:millis expires:millis seller:int category:int extra:text"),
		table("bid", "auction:int bidder:int price:int channel:text url:text ts:millis extra:text"),
	}},
	{name: "kv", counts: 1, diff: true, tables: []tableLayout{table("kv", "k:int v:int")}},
	{name: "join2", counts: 2, tagged: 8, diff: true, tables: []tableLayout{table("l", "k:int v:int"), table("r", "k:int v:int")}},
	{name: "q3", counts: 2, tagged: 8, diff: true, tables: []tableLayout{
		table("c", "ck:int seg:int :skip :skip :skip"),
		table("o", "ok:int ck:int od:int sp:int :skip"),
		table("i", "lok:int lnum:int price:int disc:int sd:int"),
	}},
}

// table reads the description of a record: a list of name:field.
func table(name, record string) tableLayout {
	t := tableLayout{Table: Table{Name: name}}
	for _, word := range strings.Fields(record) {
		column, form, _ := strings.Cut(word, ":")
		f, kind := formOf(form)
		t.fields = append(t.fields, f)
		if f != fieldSkip {
			t.Columns = append(t.Columns, repr.Column{Name: column, Type: repr.TypeOf(kind), NotNull: true})
		}
	}
	return t
}

func formOf(form string) (field, repr.Kind) {
	switch form {
	case "millis":
		return fieldMillis, repr.KindTimestamp
	case "text":
		return fieldText, repr.KindText
	case "skip":
		return fieldSkip, repr.KindNull
	default:
		return fieldInt, repr.KindInt8
	}
}

func layoutOf(path string) (*layout, error) {
	base := filepath.Base(path)
	for _, l := range layouts {
		if strings.HasPrefix(base, l.name) {
			return l, nil
		}
	}
	return nil, fmt.Errorf("event file %s: the name must begin with nexmark, kv, join2 or q3, which says what it holds", path)
}
