package avro

import (
	"encoding/binary"
	"fmt"

	"millrace/repr"
)

// FrameLen is the length of what stands before a record: a zero byte and the id of its schema.
const FrameLen = 5

// Unframe splits a message in the registry's framing into the id of its schema and the record.
func Unframe(message []byte) (id int, record []byte, err error) {
	if len(message) == 0 {
		return 0, nil, repr.NewError(repr.CodeInvalidBinary, "the message is not in the schema registry's framing: it is empty")
	}
	if len(message) < FrameLen || message[0] != 0 {
		return 0, nil, repr.NewError(repr.CodeInvalidBinary,
			fmt.Sprintf("the message is not in the schema registry's framing: it starts with %#x, want 0x00 and a schema id of 4 bytes",
				message[:min(len(message), FrameLen)]))
	}
	return int(binary.BigEndian.Uint32(message[1:5])), message[5:], nil
}

// AppendFrame appends what stands before a record.
func AppendFrame(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id))
}
