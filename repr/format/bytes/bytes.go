package bytes

import (
	"fmt"
	"unicode/utf8"

	"millrace/repr"
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
	if err := CheckText(message); err != nil {
		return dst, err
	}
	return repr.Append(dst, repr.TextBytes(message)), nil
}

// CheckText says whether bytes are a text: UTF-8 without NUL.
func CheckText(b []byte) *repr.Error {
	for i := 0; i < len(b); {
		if c := b[i]; c != 0 && c < utf8.RuneSelf {
			i++
			continue
		}
		c, n := utf8.DecodeRune(b[i:])
		if c == 0 || c == utf8.RuneError && n == 1 {
			return repr.NewError(repr.CodeInvalidEncoding, fmt.Sprintf(`invalid byte sequence for encoding "UTF8": 0x%02x`, b[i]))
		}
		i += n
	}
	return nil
}
