package parquet

import (
	"math/big"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

const (
	unixDays   = 10957                     // from 1970-01-01 to 2000-01-01, where dates of rows begin
	unixMicros = unixDays * 86_400_000_000 // the same in microseconds
)

// next gives the next n values of a column, each with its error.
type next func(n int) ([]value, error)

type value struct {
	datum repr.Datum
	err   *repr.Error
}

// column is how the values of a column of a file are read.
type column struct {
	typ  repr.Type
	open func(r file.ColumnChunkReader, levels int16) next
}

// typed is a column of a type, whose values are made of those of a file.
func typed[T any, R interface {
	ReadBatch(n int64, values []T, levels, repeated []int16) (int64, int, error)
}](t repr.Type, make1 func(T) (repr.Datum, *repr.Error)) *column {
	return &column{typ: t, open: func(r file.ColumnChunkReader, levels int16) next {
		in, ok := r.(R)
		if !ok {
			return nil
		}
		return func(n int) ([]value, error) { return values(in.ReadBatch, n, levels, make1) }
	}}
}

// values reads n values; those whose level is below that of the column are NULL.
func values[T any](read func(int64, []T, []int16, []int16) (int64, int, error), n int, most int16, make1 func(T) (repr.Datum, *repr.Error)) ([]value, error) {
	out := make([]value, 0, n)
	buf, levels := make([]T, n), make([]int16, n)
	for len(out) < n {
		rows, filled, err := read(int64(n-len(out)), buf, levels, nil)
		if err != nil {
			return nil, err
		}
		if rows <= 0 || rows > int64(n-len(out)) || filled > int(rows) {
			return nil, errShort
		}
		used := 0
		for i := range rows {
			if most > 0 && levels[i] < most {
				out = append(out, value{datum: repr.Null})
				continue
			}
			if used >= filled {
				return nil, errShort
			}
			d, err := make1(buf[used])
			out = append(out, value{d, err})
			used++
		}
	}
	return out, nil
}

var errShort = repr.NewError(repr.CodeInvalidText, "a column ends before its rows do")

// whole is a column of whole numbers in 32 or 64 bits.
func whole(physical parquet.Type, kind repr.Kind, of func(int64) (repr.Datum, *repr.Error)) *column {
	return wholeOf(physical, repr.TypeOf(kind), of)
}

func wholeOf(physical parquet.Type, t repr.Type, of func(int64) (repr.Datum, *repr.Error)) *column {
	if physical == parquet.Types.Int32 {
		return typed[int32, *file.Int32ColumnChunkReader](t, func(n int32) (repr.Datum, *repr.Error) { return of(int64(n)) })
	}
	return typed[int64, *file.Int64ColumnChunkReader](t, of)
}

// texts is a column of bytes.
func texts(physical parquet.Type, t repr.Type, of func([]byte) (repr.Datum, *repr.Error)) *column {
	if physical == parquet.Types.FixedLenByteArray {
		return typed[parquet.FixedLenByteArray, *file.FixedLenByteArrayColumnChunkReader](t, func(b parquet.FixedLenByteArray) (repr.Datum, *repr.Error) { return of(b) })
	}
	return typed[parquet.ByteArray, *file.ByteArrayColumnChunkReader](t, func(b parquet.ByteArray) (repr.Datum, *repr.Error) { return of(b) })
}

// columnOf says what a column of a file becomes.
func columnOf(c *schema.Column) (*column, *repr.Error) {
	if c.MaxRepetitionLevel() > 0 || strings.Contains(c.Path(), ".") {
		return nil, repr.NewError(repr.CodeFeatureNotSupported, "column \""+c.Path()+"\", which is nested, is not supported yet")
	}
	var out *column
	switch p := c.PhysicalType(); p {
	case parquet.Types.Boolean:
		out = typed[bool, *file.BooleanColumnChunkReader](repr.TypeOf(repr.KindBool), func(b bool) (repr.Datum, *repr.Error) { return repr.Bool(b), nil })
	case parquet.Types.Float:
		out = typed[float32, *file.Float32ColumnChunkReader](repr.TypeOf(repr.KindFloat4), func(f float32) (repr.Datum, *repr.Error) { return repr.Float4(f), nil })
	case parquet.Types.Double:
		out = typed[float64, *file.Float64ColumnChunkReader](repr.TypeOf(repr.KindFloat8), func(f float64) (repr.Datum, *repr.Error) { return repr.Float8(f), nil })
	case parquet.Types.Int96:
		out = typed[parquet.Int96, *file.Int96ColumnChunkReader](repr.TypeOf(repr.KindTimestamp), func(t parquet.Int96) (repr.Datum, *repr.Error) {
			return repr.Timestamp(t.ToTime().UnixMicro() - unixMicros), nil
		})
	case parquet.Types.Int32, parquet.Types.Int64:
		out = number(p, c.LogicalType())
	default:
		out = bytesColumn(p, c.LogicalType())
	}
	return out, nil
}

// number is a column of 32 or 64 bits, by what they mean.
func number(p parquet.Type, of schema.LogicalType) *column {
	switch t := of.(type) {
	case schema.DateLogicalType:
		return whole(p, repr.KindDate, dateOf)
	case schema.TimeLogicalType:
		return whole(p, repr.KindTime, func(n int64) (repr.Datum, *repr.Error) { return timeOf(n, t.TimeUnit()) })
	case schema.TimestampLogicalType:
		kind := repr.KindTimestamp
		if t.IsAdjustedToUTC() {
			kind = repr.KindTimestampTZ
		}
		return whole(p, kind, func(n int64) (repr.Datum, *repr.Error) { return momentOf(kind, n, t.TimeUnit()) })
	case schema.DecimalLogicalType:
		return wholeOf(p, decimal(t), func(n int64) (repr.Datum, *repr.Error) { return repr.Numeric(n, t.Scale()), nil })
	case schema.IntLogicalType:
		return integer(p, t)
	}
	kind := repr.KindInt8
	if p == parquet.Types.Int32 {
		kind = repr.KindInt4
	}
	return whole(p, kind, func(n int64) (repr.Datum, *repr.Error) { return repr.IntOf(kind, n), nil })
}

// integer is a whole number that says its width and whether it has a sign.
func integer(p parquet.Type, t schema.IntLogicalType) *column {
	mask := uint64(1)<<t.BitWidth() - 1
	switch {
	case !t.IsSigned() && t.BitWidth() == 64:
		typ := repr.TypeOf(repr.KindNumeric)
		return wholeOf(p, typ, func(n int64) (repr.Datum, *repr.Error) { return big2numeric(new(big.Int).SetUint64(uint64(n)), 0) })
	case !t.IsSigned():
		kind := map[bool]repr.Kind{true: repr.KindInt8, false: repr.KindInt4}[t.BitWidth() == 32]
		return whole(p, kind, func(n int64) (repr.Datum, *repr.Error) { return repr.IntOf(kind, int64(uint64(n)&mask)), nil })
	case t.BitWidth() <= 16:
		return whole(p, repr.KindInt2, func(n int64) (repr.Datum, *repr.Error) { return repr.IntOf(repr.KindInt2, int64(int16(n))), nil })
	case t.BitWidth() == 32:
		return whole(p, repr.KindInt4, func(n int64) (repr.Datum, *repr.Error) { return repr.IntOf(repr.KindInt4, n), nil })
	}
	return whole(p, repr.KindInt8, func(n int64) (repr.Datum, *repr.Error) { return repr.Int8(n), nil })
}

// decimal is numeric with the digits of a file.
func decimal(t schema.DecimalLogicalType) repr.Type {
	return repr.Type{Kind: repr.KindNumeric, Mod: (t.Precision()<<16 | t.Scale()) + 4}
}

// microsIn are the microseconds of a unit, or how many of it are one when below zero.
var microsIn = map[schema.TimeUnitType]int64{schema.TimeUnitMillis: 1000, schema.TimeUnitMicros: 1, schema.TimeUnitNanos: -1000}

// micros are units as microseconds, rounded down.
func micros(n int64, unit schema.TimeUnitType) (int64, bool) {
	switch per := microsIn[unit]; {
	case per < 0:
		whole := n / -per
		if n%-per < 0 {
			whole--
		}
		return whole, true
	case per == 0 || n > 1<<62/per || n < -(1<<62)/per:
		return 0, false
	default:
		return n * per, true
	}
}

var errTime = repr.NewError("22008", "timestamp out of range")

func dateOf(n int64) (repr.Datum, *repr.Error) {
	if n -= unixDays; n < pgfmt.DaysFromCivil(-4712, 1, 1) || n >= pgfmt.DaysFromCivil(5874898, 1, 1) {
		return repr.Null, repr.NewError("22008", "date out of range")
	}
	return repr.Date(int32(n)), nil
}

func timeOf(n int64, unit schema.TimeUnitType) (repr.Datum, *repr.Error) {
	us, ok := micros(n, unit)
	if !ok || us < 0 || us > 86_400_000_000 {
		return repr.Null, errTime
	}
	return repr.IntOf(repr.KindTime, us), nil
}

func momentOf(kind repr.Kind, n int64, unit schema.TimeUnitType) (repr.Datum, *repr.Error) {
	us, ok := micros(n, unit)
	us -= unixMicros
	if !ok || us < pgfmt.DaysFromCivil(-4712, 1, 1)*86_400_000_000 || us >= pgfmt.DaysFromCivil(294277, 1, 1)*86_400_000_000 {
		return repr.Null, errTime
	}
	if kind == repr.KindTimestamp {
		return repr.Timestamp(us), nil
	}
	return repr.TimestampTZ(us), nil
}

// bytesColumn is a column of bytes, by what they mean.
func bytesColumn(p parquet.Type, of schema.LogicalType) *column {
	switch t := of.(type) {
	case schema.StringLogicalType, schema.EnumLogicalType:
		return texts(p, repr.TypeOf(repr.KindText), func(b []byte) (repr.Datum, *repr.Error) {
			if err := pgfmt.CheckText(b); err != nil {
				return repr.Null, err
			}
			return repr.Text(string(b)), nil
		})
	case schema.JSONLogicalType:
		return texts(p, repr.TypeOf(repr.KindJSONB), func(b []byte) (repr.Datum, *repr.Error) {
			norm, err := jsonb.Normalize(nil, b)
			if err != nil {
				return repr.Null, repr.NewError(repr.CodeInvalidText, err.Error())
			}
			return repr.JSONB(norm), nil
		})
	case schema.DecimalLogicalType:
		return texts(p, decimal(t), func(b []byte) (repr.Datum, *repr.Error) { return signed(b, t.Scale()) })
	case schema.UUIDLogicalType:
		typ := repr.TypeOf(repr.KindUUID)
		return texts(p, typ, func(b []byte) (repr.Datum, *repr.Error) { return pgfmt.ParseText(typ, hexOf(b), nil) })
	}
	return texts(p, repr.TypeOf(repr.KindBytea), func(b []byte) (repr.Datum, *repr.Error) { return repr.Bytea(slices.Clone(b)), nil })
}

// signed is a number in two's complement, its highest byte first, with digits behind the point.
func signed(b []byte, scale int32) (repr.Datum, *repr.Error) {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return big2numeric(n, scale)
}

func big2numeric(n *big.Int, scale int32) (repr.Datum, *repr.Error) {
	text := new(big.Int).Abs(n).String()
	if pad := int(scale) + 1 - len(text); pad > 0 {
		text = strings.Repeat("0", pad) + text
	}
	at := len(text) - int(scale)
	text = text[:at] + "." + text[at:]
	if n.Sign() < 0 {
		text = "-" + text
	}
	return pgfmt.ParseText(repr.TypeOf(repr.KindNumeric), strings.TrimSuffix(text, "."), nil)
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
