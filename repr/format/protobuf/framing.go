package protobuf

import (
	"encoding/binary"

	"millrace/repr"
)

// maxIndexes bounds how deep the type of a message nests in its schema.
const maxIndexes = 32

// Unframe takes from a message, behind the id of its schema, the path of indexes that says which type of the schema it is.
func Unframe(b []byte) (path []int, message []byte, err error) {
	count, n := binary.Varint(b)
	if n <= 0 || count < 0 || count > maxIndexes {
		return nil, nil, repr.NewError(repr.CodeInvalidBinary, "the message is not in the schema registry's framing: its type is not named")
	}
	b = b[n:]
	if count == 0 {
		return []int{0}, b, nil
	}
	for range count {
		i, n := binary.Varint(b)
		if n <= 0 || i < 0 || i > maxFields {
			return nil, nil, repr.NewError(repr.CodeInvalidBinary, "the message is not in the schema registry's framing: its type is not named")
		}
		path = append(path, int(i))
		b = b[n:]
	}
	return path, b, nil
}
