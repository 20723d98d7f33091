package bytes

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Bytes decodes a message to one column, data bytea.
type Bytes struct{}

// Columns are what a message becomes.
func (Bytes) Columns() repr.RowDesc {
	return repr.RowDesc{{Name: "data", Type: repr.TypeOf(repr.KindBytea), NotNull: true}}
}

// Append packs the message.
func (Bytes) Append(dst, message []byte) ([]byte, error) {
	return repr.Append(dst, repr.Bytea(message)), nil
}

// Text decodes a message to one column, text text.
type Text struct{}

// Columns are what a message becomes.
func (Text) Columns() repr.RowDesc {
	return repr.RowDesc{{Name: "text", Type: repr.TypeOf(repr.KindText), NotNull: true}}
}

// Append packs the message.
func (Text) Append(dst, message []byte) ([]byte, error) {
	if err := pgfmt.CheckText(message); err != nil {
		return dst, err
	}
	return repr.Append(dst, repr.TextBytes(message)), nil
}
