package dataflow

import (
	"strings"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/repr"
)

// Delta is what changed of a collection at one time: its rows, and the rows of its errors. That of an arrangement that is
// imported has a shard for each worker in place of the rows; its errors are those of the function that made it.
type Delta struct {
	OK     arrangement.Batch
	Err    arrangement.Batch
	Shards []op.Index
}

// AppendErr packs an error row: SQLSTATE, message, detail, hint, and the row that caused it. A NUL in a text, which no text
// may hold, is written as \0.
func AppendErr(dst []byte, e *repr.Error, row []byte) []byte {
	for _, s := range []string{e.Code, e.Message, e.Detail, e.Hint} {
		dst = repr.Append(dst, repr.Text(strings.ReplaceAll(s, "\x00", "\\0")))
	}
	return repr.Append(dst, repr.Bytea(row))
}

// DecodeErr unpacks an error row.
func DecodeErr(row []byte) (e *repr.Error, cause []byte) {
	var f [5]repr.Datum
	for i := range f {
		f[i], row = repr.Decode(row)
	}
	return &repr.Error{Code: string(f[0].Bytes()), Message: string(f[1].Bytes()), Detail: string(f[2].Bytes()),
		Hint: string(f[3].Bytes())}, f[4].Bytes()
}
