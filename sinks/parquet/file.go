package parquet

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"millrace/repr"
)

// groupRows is how many rows a row group has.
const groupRows = 100_000

// written are the columns of a file.
func (t *target) written() []column {
	if t.cfg.Changes {
		return append(t.columns[:len(t.columns):len(t.columns)], beside...)
	}
	return t.columns
}

// file writes rows as one file.
func (t *target) file(records []record) ([]byte, error) {
	columns := t.written()
	fields := make(schema.FieldList, len(columns))
	for i := range columns {
		c := &columns[i]
		repetition := parquet.Repetitions.Optional
		if c.required {
			repetition = parquet.Repetitions.Required
		}
		node, err := schema.NewPrimitiveNodeLogical(c.name, repetition, c.how.logical, c.how.physical, c.how.length, -1)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.name, err)
		}
		fields[i] = node
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := file.NewParquetWriter(&out, root, file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithCreatedBy("millrace"))))
	for from := 0; from < len(records); from += groupRows {
		if err := writeGroup(w.AppendRowGroup(), columns, records[from:min(from+groupRows, len(records))]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// writeGroup writes rows column by column.
func writeGroup(g file.SerialRowGroupWriter, columns []column, records []record) error {
	values, levels := make([]repr.Datum, 0, len(records)), make([]int16, len(records))
	for i := range columns {
		c := &columns[i]
		values = values[:0]
		for j := range records {
			d := records[j].value(c.from)
			levels[j] = 1
			if d.IsNull() {
				levels[j] = 0
				continue
			}
			values = append(values, d)
		}
		defined := levels
		if c.required {
			defined = nil
		}
		w, err := g.NextColumn()
		if err != nil {
			return err
		}
		if err := c.how.write(w, c, values, defined); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return g.Close()
}

func (r *record) value(from int) repr.Datum {
	switch from {
	case timeColumn:
		return repr.Int8(int64(r.time))
	case diffColumn:
		return repr.Int8(r.diff)
	}
	return r.row[from]
}
