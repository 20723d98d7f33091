package kafka

import (
	"fmt"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/format/avro"
	fjson "millrace/repr/format/json"
	"millrace/repr/pgfmt"
)

// codec writes some columns of a row as a key or a value.
type codec struct {
	format Format
	cols   []int     // of the row; nil: all of them
	one    repr.Type // of the only column of Text and Bytes
	enc    format.Encoder
	avro   *avro.Encoder // nil in the other formats
	schema string        // Avro only
	id     int           // of the schema, as the registry gave it
	key    bool          // it writes a key: what is equal is written alike
}

// newCodec makes the codec of some columns; name is that of the record in Avro.
func newCodec(f Format, name string, all repr.RowDesc, cols []int) (*codec, error) {
	c := &codec{format: f, cols: cols, key: name == "key"}
	chosen := all
	if cols != nil {
		chosen = make(repr.RowDesc, len(cols))
		for i, k := range cols {
			chosen[i] = all[k]
		}
	}
	switch f {
	case JSON:
		c.enc = fjson.NewEncoder(chosen)
	case Avro:
		e, err := avro.NewEncoder(name, chosen)
		if err != nil {
			return nil, err
		}
		c.enc, c.avro, c.schema = e, e, e.Schema()
	case Text, Bytes:
		if len(chosen) != 1 {
			return nil, repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("%s of a sink is one column, and the %s has %d", f, name, len(chosen))).
				WithHint("Choose JSON or AVRO, or leave columns out of the sink's view.")
		}
		c.one = chosen[0].Type
		if k := c.one.Kind; f == Bytes && k != repr.KindBytea && k != repr.KindText {
			return nil, repr.NewError(repr.CodeFeatureNotSupported, fmt.Sprintf("column %q of type %s as BYTES is not supported", chosen[0].Name, c.one)).
				WithHint("Cast it to bytea or text, or choose TEXT.")
		}
	}
	return c, nil
}

// repack takes the columns out of a row.
func (c *codec) repack(row []byte, datums []repr.Datum) []byte {
	if c.cols == nil {
		return row
	}
	out := make([]byte, 0, len(row))
	for _, k := range c.cols {
		if c.key {
			out = repr.AppendKey(out, datums[k])
			continue
		}
		out = repr.Append(out, datums[k])
	}
	return out
}

// append appends what stands for a row, whose columns are given unpacked too. With framed, a value in Avro begins with the number of its schema.
func (c *codec) append(dst, row []byte, datums []repr.Datum, framed bool) ([]byte, error) {
	switch c.format {
	case Text, Bytes:
		k := 0
		if c.cols != nil {
			k = c.cols[0]
		}
		d := datums[k]
		if c.key {
			d = d.Canonical()
		}
		switch {
		case d.IsNull():
			return nil, nil // no key, or no value
		case c.one.Kind == repr.KindBytea && c.format == Bytes:
			return append(dst, d.Bytes()...), nil
		}
		return pgfmt.AppendText(dst, c.one, d, nil), nil
	case Avro:
		if framed {
			dst = avro.AppendFrame(dst, c.id)
		}
	case JSON:
	}
	return c.enc.Append(dst, c.repack(row, datums))
}
