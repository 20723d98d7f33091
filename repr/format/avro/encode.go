package avro

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/format/logical"
	"millrace/repr/pgfmt"
)

// A numeric without a modifier becomes a decimal of this precision and scale.
const (
	widePrecision = 81
	wideScale     = 39
)

// Encoder writes packed rows as records of a schema that it generates. One goroutine at a time may use it.
type Encoder struct {
	cols   []encodeColumn
	schema any
}

type encodeColumn struct {
	name   string
	enc    encode
	isNull bool // the column is a union of null and its type
}

// encode appends a value that is not NULL.
type encode func(dst []byte, d repr.Datum) ([]byte, error)

// NewEncoder makes an encoder for rows of a shape; name is the full name of the record. Column names that Avro does
// not allow are mended, so that every row has a schema.
func NewEncoder(name string, cols repr.RowDesc) (*Encoder, error) {
	e := &Encoder{}
	used := map[string]bool{}
	fields := []any{}
	for i := range cols {
		t, enc, err := encodeType(cols[i].Type)
		if err != nil {
			return nil, inField(cols[i].Name, err)
		}
		f := map[string]any{"name": fieldName(cols[i].Name, used), "type": t}
		if !cols[i].NotNull {
			f["type"] = []any{"null", t}
			f["default"] = nil
		}
		fields = append(fields, f)
		e.cols = append(e.cols, encodeColumn{cols[i].Name, enc, !cols[i].NotNull})
	}
	e.schema = map[string]any{"type": "record", "name": name, "fields": fields}
	return e, nil
}

// Schema is the JSON text of the record's schema. The same columns give the same text.
func (e *Encoder) Schema() string { return marshal(e.schema) }

// EnvelopeSchema is the schema of a change: a record of before and after, each null or a row.
func (e *Encoder) EnvelopeSchema(name string) string {
	row := e.schema.(map[string]any)
	return marshal(map[string]any{"type": "record", "name": name, "fields": []any{
		map[string]any{"name": "before", "type": []any{"null", row}, "default": nil},
		map[string]any{"name": "after", "type": []any{"null", row["name"]}, "default": nil},
	}})
}

// Append appends the record for a packed row.
func (e *Encoder) Append(dst, row []byte) ([]byte, error) {
	var err error
	for i := range e.cols {
		c := &e.cols[i]
		var d repr.Datum
		d, row = repr.Decode(row)
		switch {
		case d.IsNull() && !c.isNull:
			return nil, repr.NewError(repr.CodeNotNullViolation, fmt.Sprintf("null value in column %q", c.name))
		case d.IsNull():
			dst = append(dst, 0)
			continue
		case c.isNull:
			dst = append(dst, 2)
		}
		if dst, err = c.enc(dst, d); err != nil {
			return nil, inField(c.name, err)
		}
	}
	return dst, nil
}

// AppendChange appends the record of EnvelopeSchema for a change; a nil row is null.
func (e *Encoder) AppendChange(dst, before, after []byte) ([]byte, error) {
	var err error
	for _, row := range [][]byte{before, after} {
		if row == nil {
			dst = append(dst, 0)
			continue
		}
		if dst, err = e.Append(append(dst, 2), row); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// marshal writes a schema; maps are written in the order of their keys, so the text is stable.
func marshal(schema any) string {
	b, err := json.Marshal(schema)
	if err != nil {
		return ""
	}
	return string(b)
}

// fieldName makes a name that Avro allows, and that no column before it has.
func fieldName(name string, used map[string]bool) string {
	b := []byte(name)
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	if len(b) == 0 || name[0] >= '0' && name[0] <= '9' {
		b = append([]byte{'_'}, name...)
		return fieldName(string(b), used)
	}
	out := string(b)
	for i := 1; used[out]; i++ {
		out = string(b) + strconv.Itoa(i)
	}
	used[out] = true
	return out
}

func logicalSchema(avroType, name string) any {
	return map[string]any{"type": avroType, "logicalType": name}
}

func connect(avroType, name string) any {
	return map[string]any{"type": avroType, "connect.name": name, "connect.version": 1}
}

// encodeType is the Avro type of a column, and how its values are written.
func encodeType(t repr.Type) (any, encode, error) {
	switch t.Kind {
	case repr.KindBool:
		return "boolean", encodeBool, nil
	case repr.KindInt2, repr.KindInt4:
		return "int", encodeInt, nil
	case repr.KindInt8, repr.KindOID:
		return "long", encodeInt, nil
	case repr.KindFloat4:
		return "float", encodeFloat, nil
	case repr.KindFloat8:
		return "double", encodeDouble, nil
	case repr.KindNumeric:
		return decimalType(t)
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindName, repr.KindChar:
		return "string", encodeBytes, nil
	case repr.KindBytea:
		return "bytes", encodeBytes, nil
	case repr.KindJSON, repr.KindJSONB:
		return connect("string", "io.debezium.data.Json"), encodeBytes, nil
	case repr.KindDate:
		return logicalSchema("int", "date"), encodeDate, nil
	case repr.KindTime:
		return logicalSchema("long", "time-micros"), encodeInt, nil
	case repr.KindTimestamp, repr.KindTimestampTZ:
		return logicalSchema("long", "timestamp-micros"), encodeStamp, nil
	case repr.KindUUID:
		return logicalSchema("string", "uuid"), textEncoder(t), nil
	case repr.KindInterval:
		return "string", textEncoder(t), nil
	case repr.KindArray:
		return arrayType(t)
	default:
		return nil, nil, repr.NewError(repr.CodeFeatureNotSupported, fmt.Sprintf("type %s is not supported in Avro", t))
	}
}

func encodeBool(dst []byte, d repr.Datum) ([]byte, error) {
	if d.Bool() {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func encodeInt(dst []byte, d repr.Datum) ([]byte, error) {
	return binary.AppendVarint(dst, d.Int()), nil
}

func encodeFloat(dst []byte, d repr.Datum) ([]byte, error) {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(d.Float()))), nil
}

func encodeDouble(dst []byte, d repr.Datum) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(d.Float())), nil
}

func encodeBytes(dst []byte, d repr.Datum) ([]byte, error) {
	b := d.Bytes()
	return append(binary.AppendVarint(dst, int64(len(b))), b...), nil
}

// encodeDate and encodeStamp write infinity as Debezium does, so that it is read back as such.
func encodeDate(dst []byte, d repr.Datum) ([]byte, error) {
	switch d.Int() {
	case repr.PosInfinity32:
		return binary.AppendVarint(dst, logical.PosInfDate), nil
	case repr.NegInfinity32:
		return binary.AppendVarint(dst, logical.NegInfDate), nil
	}
	v := d.Int() + logical.EpochDays
	if v > math.MaxInt32 {
		return nil, repr.NewError(repr.CodeDatetimeOverflow, "date out of range for Avro")
	}
	return binary.AppendVarint(dst, v), nil
}

func encodeStamp(dst []byte, d repr.Datum) ([]byte, error) {
	switch d.Int() {
	case repr.PosInfinity64:
		return binary.AppendVarint(dst, logical.PosInfinity), nil
	case repr.NegInfinity64:
		return binary.AppendVarint(dst, logical.NegInfinity), nil
	}
	if d.Int() > logical.PosInfinity-logical.EpochMicros-1 {
		return nil, repr.NewError(repr.CodeDatetimeOverflow, "timestamp out of range for Avro")
	}
	return binary.AppendVarint(dst, d.Int()+logical.EpochMicros), nil
}

func textEncoder(t repr.Type) encode {
	return func(dst []byte, d repr.Datum) ([]byte, error) {
		text := pgfmt.AppendText(nil, t, d, nil)
		return append(binary.AppendVarint(dst, int64(len(text))), text...), nil
	}
}

func arrayType(t repr.Type) (any, encode, error) {
	elem, enc, err := encodeType(repr.TypeOf(t.Elem))
	if err != nil {
		return nil, nil, err
	}
	return map[string]any{"type": "array", "items": []any{"null", elem}}, func(dst []byte, d repr.Datum) ([]byte, error) {
		elems := d.Elems(nil)
		if len(elems) > 0 {
			dst = binary.AppendVarint(dst, int64(len(elems)))
		}
		var err error
		for _, e := range elems {
			if e.IsNull() {
				dst = append(dst, 0)
				continue
			}
			if dst, err = enc(append(dst, 2), e); err != nil {
				return nil, err
			}
		}
		return append(dst, 0), nil
	}, nil
}

// decimalType is a decimal of the column's precision and scale.
func decimalType(t repr.Type) (any, encode, error) {
	precision, scale := int32(widePrecision), int32(wideScale)
	if t.HasMod() {
		precision, scale = (t.Mod-4)>>16, (t.Mod-4)&0xffff
	}
	schema := map[string]any{"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil)
	return schema, func(dst []byte, d repr.Datum) ([]byte, error) {
		v, ok := unscaled(d, scale)
		if !ok || v.CmpAbs(limit) >= 0 {
			return nil, repr.NewError(repr.CodeNumericOutOfRange, fmt.Sprintf("numeric %s does not fit an Avro decimal(%d,%d)",
				cutDigits(repr.AppendNumericText(nil, d)), precision, scale))
		}
		b := twosComplement(v)
		return append(binary.AppendVarint(dst, int64(len(b))), b...), nil
	}, nil
}

// unscaled is the value times 10^scale, when that is a whole number.
func unscaled(d repr.Datum, scale int32) (*big.Int, bool) {
	if !d.NumericFinite() {
		return nil, false
	}
	d = d.Canonical()
	digits := strings.Replace(string(repr.AppendNumericText(nil, d)), ".", "", 1)
	v, ok := new(big.Int).SetString(digits, 10)
	shift := scale - d.NumericScale()
	if !ok || shift < 0 {
		return nil, false
	}
	return v.Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)), true
}

// twosComplement is the shortest big-endian two's complement form.
func twosComplement(v *big.Int) []byte {
	if v.Sign() >= 0 {
		b := v.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// Of a negative number -n the bytes are those of n-1, inverted.
	b := new(big.Int).Sub(new(big.Int).Neg(v), big.NewInt(1)).Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

func cutDigits(b []byte) []byte {
	if len(b) > 60 {
		return append(b[:60:60], "…"...)
	}
	return b
}
