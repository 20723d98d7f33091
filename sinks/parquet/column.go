package parquet

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// column is a column of a file.
type column struct {
	name     string
	from     int // of the row; timeColumn and diffColumn are beside it
	typ      repr.Type
	required bool
	how      form
}

// What stands beside the row.
const (
	timeColumn = -1
	diffColumn = -2
)

// form is how the values of a kind are written.
type form struct {
	physical parquet.Type
	length   int
	logical  schema.LogicalType
	write    func(w file.ColumnChunkWriter, c *column, values []repr.Datum, levels []int16) error
	read     reading
}

const (
	unixDays   = 10957                     // from 1970-01-01 to 2000-01-01, where dates of rows begin
	unixMicros = unixDays * 86_400_000_000 // the same in microseconds
	// maxDigits is how many digits fit 64 bits.
	maxDigits = 18
)

// forms are those of the kinds; one that is not here is written as its text.
var forms = map[repr.Kind]form{
	repr.KindBool:        {physical: parquet.Types.Boolean, logical: schema.NoLogicalType{}, write: writeBools, read: readBools},
	repr.KindInt2:        {physical: parquet.Types.Int32, logical: schema.NewIntLogicalType(16, true), write: writeInt32, read: readInt32},
	repr.KindInt4:        {physical: parquet.Types.Int32, logical: schema.NewIntLogicalType(32, true), write: writeInt32, read: readInt32},
	repr.KindInt8:        {physical: parquet.Types.Int64, logical: schema.NewIntLogicalType(64, true), write: writeInt64, read: readInt64},
	repr.KindOID:         {physical: parquet.Types.Int64, logical: schema.NewIntLogicalType(64, true), write: writeInt64, read: readInt64},
	repr.KindFloat4:      {physical: parquet.Types.Float, logical: schema.NoLogicalType{}, write: writeFloats, read: readFloats},
	repr.KindFloat8:      {physical: parquet.Types.Double, logical: schema.NoLogicalType{}, write: writeDoubles, read: readDoubles},
	repr.KindDate:        {physical: parquet.Types.Int32, logical: schema.DateLogicalType{}, write: writeInt32, read: readInt32},
	repr.KindTime:        {physical: parquet.Types.Int64, logical: schema.NewTimeLogicalType(false, schema.TimeUnitMicros), write: writeInt64, read: readInt64},
	repr.KindTimestamp:   {physical: parquet.Types.Int64, logical: schema.NewTimestampLogicalType(false, schema.TimeUnitMicros), write: writeInt64, read: readInt64},
	repr.KindTimestampTZ: {physical: parquet.Types.Int64, logical: schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), write: writeInt64, read: readInt64},
	repr.KindBytea:       {physical: parquet.Types.ByteArray, logical: schema.NoLogicalType{}, write: writeBytes, read: readBytes},
	repr.KindJSON:        {physical: parquet.Types.ByteArray, logical: schema.JSONLogicalType{}, write: writeBytes, read: readBytes},
	repr.KindJSONB:       {physical: parquet.Types.ByteArray, logical: schema.JSONLogicalType{}, write: writeBytes, read: readBytes},
}

// columnOf is the column of a file for one of the view. A numeric whose digits are bounded is a decimal, any other its text.
func columnOf(c repr.Column, from int) column {
	out := column{name: c.Name, from: from, typ: c.Type, required: c.NotNull}
	var known bool
	out.how, known = forms[c.Type.Kind]
	if digits, scale := precision(c.Type); c.Type.Kind == repr.KindNumeric && digits > 0 && digits <= maxDigits && scale >= 0 && scale <= digits {
		out.how, known = form{physical: parquet.Types.Int64, logical: schema.NewDecimalLogicalType(digits, scale), write: writeDecimals, read: readDecimals}, true
	}
	if !known {
		out.how = form{physical: parquet.Types.ByteArray, logical: schema.StringLogicalType{}, write: writeTexts, read: readTexts}
	}
	if out.how.length == 0 {
		out.how.length = -1
	}
	return out
}

// precision are the digits of a numeric, and how many of them are behind the point; 0 when they are not bounded.
func precision(t repr.Type) (digits, scale int32) {
	if t.Kind != repr.KindNumeric || !t.HasMod() {
		return 0, 0
	}
	mod := t.Mod - 4
	return mod >> 16, (mod & 0x7ff) - (mod&0x400)<<1
}

// beside are the columns of changes beside the row.
var beside = []column{
	{name: "mz_timestamp", from: timeColumn, typ: repr.TypeOf(repr.KindInt8), required: true, how: forms[repr.KindInt8]},
	{name: "mz_diff", from: diffColumn, typ: repr.TypeOf(repr.KindInt8), required: true, how: forms[repr.KindInt8]},
}

func writeBools(w file.ColumnChunkWriter, _ *column, values []repr.Datum, levels []int16) error {
	out := make([]bool, len(values))
	for i, d := range values {
		out[i] = d.Bool()
	}
	_, err := w.(*file.BooleanColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeInt32(w file.ColumnChunkWriter, c *column, values []repr.Datum, levels []int16) error {
	out := make([]int32, len(values))
	for i, d := range values {
		n := d.Int()
		if c.typ.Kind == repr.KindDate {
			if n == repr.PosInfinity32 || n == repr.NegInfinity32 {
				return c.cannot(d)
			}
			n += unixDays
		}
		out[i] = int32(n)
	}
	_, err := w.(*file.Int32ColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeInt64(w file.ColumnChunkWriter, c *column, values []repr.Datum, levels []int16) error {
	out := make([]int64, len(values))
	for i, d := range values {
		out[i] = d.Int()
		if c.typ.Kind == repr.KindTimestamp || c.typ.Kind == repr.KindTimestampTZ {
			if out[i] == repr.PosInfinity64 || out[i] == repr.NegInfinity64 {
				return c.cannot(d)
			}
			out[i] += unixMicros
		}
	}
	_, err := w.(*file.Int64ColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeDecimals(w file.ColumnChunkWriter, c *column, values []repr.Datum, levels []int16) error {
	_, scale := precision(c.typ)
	out := make([]int64, len(values))
	for i, d := range values {
		coef, has, ok := d.NumericSmall()
		for ; ok && has < scale; has++ {
			coef *= 10 // at most 18 digits by the type
		}
		for ; ok && has > scale && coef%10 == 0; has-- {
			coef /= 10
		}
		if !ok || has != scale {
			return c.cannot(d)
		}
		out[i] = coef
	}
	_, err := w.(*file.Int64ColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeFloats(w file.ColumnChunkWriter, _ *column, values []repr.Datum, levels []int16) error {
	out := make([]float32, len(values))
	for i, d := range values {
		out[i] = float32(d.Float())
	}
	_, err := w.(*file.Float32ColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeDoubles(w file.ColumnChunkWriter, _ *column, values []repr.Datum, levels []int16) error {
	out := make([]float64, len(values))
	for i, d := range values {
		out[i] = d.Float()
	}
	_, err := w.(*file.Float64ColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeBytes(w file.ColumnChunkWriter, _ *column, values []repr.Datum, levels []int16) error {
	out := make([]parquet.ByteArray, len(values))
	for i, d := range values {
		out[i] = d.Bytes()
	}
	_, err := w.(*file.ByteArrayColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

func writeTexts(w file.ColumnChunkWriter, c *column, values []repr.Datum, levels []int16) error {
	out := make([]parquet.ByteArray, len(values))
	for i, d := range values {
		out[i] = pgfmt.AppendText(nil, c.typ, d, nil)
	}
	_, err := w.(*file.ByteArrayColumnChunkWriter).WriteBatch(out, levels, nil)
	return err
}

// cannot refuses a value that the type of the file does not have.
func (c *column) cannot(d repr.Datum) *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, fmt.Sprintf("column %q of type %s cannot be written to Parquet: %s", c.name, c.typ,
		pgfmt.AppendText(nil, c.typ, d, nil))).WithHint("Leave such rows out of the sink's view, or cast the column to text.")
}
