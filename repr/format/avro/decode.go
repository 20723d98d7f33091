package avro

import (
	"fmt"
	"slices"

	"millrace/repr"
)

// decode appends one packed column, or one packed row, from the record. Once r.err is set what it appended is void.
type decode func(r *reader, dst []byte) []byte

// Decoder decodes records of one writer's schema into rows of given columns. It holds scratch buffers: one
// goroutine at a time may use it.
type Decoder struct {
	row decode
	r   reader
}

// NewDecoder compiles a schema for the columns that a reader wants, matched by name. A schema that is no record
// gives its value to the only column.
func NewDecoder(s *Schema, cols []Column) (*Decoder, error) {
	c := compiler{schema: s}
	row, err := c.root(s.root, cols)
	if err != nil {
		return nil, err
	}
	return &Decoder{row: row}, nil
}

// Append decodes one record and appends the packed row. On an error dst is returned as it was.
func (d *Decoder) Append(dst, record []byte) ([]byte, error) {
	d.r.reset(record)
	out := d.row(&d.r, dst)
	if err := d.r.finish(); err != nil {
		return dst, err
	}
	return out, nil
}

// compiler turns nodes into closures. A node that is used twice is compiled twice, hence the limit.
type compiler struct {
	schema *Schema
	nodes  int
}

func (c *compiler) spend() error {
	c.nodes++
	if c.nodes > maxSchemaNodes {
		return badSchema("the schema expands to more than %d types", maxSchemaNodes)
	}
	return nil
}

func (c *compiler) root(n *node, cols []Column) (decode, error) {
	if rec := n.strip(); rec.kind == kindRecord && rec.form != formVarDecimal {
		row, err := c.row(rec, cols)
		if err != nil || rec == n {
			return row, err
		}
		_, null := n.nullable()
		return func(r *reader, dst []byte) []byte {
			if r.branch(2) == null {
				r.fail(repr.CodeInvalidBinary, "the record is null")
				return dst
			}
			return row(r, dst)
		}, nil
	}
	if len(cols) != 1 {
		return nil, badSchema("the schema is not a record, so it gives 1 column, not %d", len(cols))
	}
	return c.value(n, cols[0].Type, cols[0].NotNull)
}

// step is one field of the writer, in the writer's order, or a column that the writer lacks.
type step struct {
	name string
	dec  decode
	col  int // the reader's column; -1 when the field is skipped
	short
}

// row compiles a record to the columns of a reader.
func (c *compiler) row(n *node, cols []Column) (decode, error) {
	steps := make([]step, 0, len(n.fields)+len(cols))
	ordered := true
	last := -1
	given := make([]bool, len(cols))
	for i, col := range n.match(cols) {
		f := &n.fields[i]
		if col < 0 {
			skip, err := c.skip(f.node)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step{f.name, skip, -1, shortSkip(f.node)})
			continue
		}
		dec, err := c.value(f.node, cols[col].Type, cols[col].NotNull)
		if err != nil {
			return nil, inField(f.name, err)
		}
		ordered = ordered && col > last
		last, given[col] = col, true
		steps = append(steps, step{f.name, dec, col, c.shortValue(f.node, cols[col].Type, cols[col].NotNull)})
	}
	if ordered {
		return orderedRow(insertMissing(given, steps, cols)), nil
	}
	for i := range cols {
		if !given[i] {
			steps = append(steps, step{name: cols[i].Name, dec: missing(&cols[i]), col: i})
		}
	}
	return shuffledRow(steps, len(cols)), nil
}

// insertMissing puts the columns that the writer lacks between those it has, in the reader's order.
func insertMissing(given []bool, steps []step, cols []Column) []step {
	out := make([]step, 0, len(steps)+len(cols))
	next := 0
	fill := func(upTo int) {
		for ; next < upTo; next++ {
			if !given[next] {
				out = append(out, step{name: cols[next].Name, dec: missing(&cols[next]), col: next})
			}
		}
	}
	for _, s := range steps {
		if s.col >= 0 {
			fill(s.col)
			next = s.col + 1
		}
		out = append(out, s)
	}
	fill(len(cols))
	return out
}

// missing gives the default of a column that the writer does not have.
func missing(c *Column) decode {
	value := c.Default
	if value == nil {
		if c.NotNull {
			return func(r *reader, dst []byte) []byte {
				r.fail(repr.CodeNotNullViolation, "the record lacks it, and it has no default")
				return dst
			}
		}
		value = repr.Append(nil, repr.Null)
	}
	return func(_ *reader, dst []byte) []byte { return append(dst, value...) }
}

func orderedRow(steps []step) decode {
	return func(r *reader, dst []byte) []byte {
		for i := range steps {
			if s := &steps[i]; s.code == codeNone {
				dst = s.dec(r, dst)
			} else {
				dst = s.run(r, dst)
			}
			if r.err != nil {
				r.in(steps[i].name)
				return dst
			}
		}
		return dst
	}
}

// shuffledRow decodes in the writer's order behind dst, then puts the columns in the reader's.
func shuffledRow(steps []step, cols int) decode {
	return func(r *reader, dst []byte) []byte {
		start := len(dst)
		r.spans = append(r.spans[:0], make([]span, cols)...)
		for i := range steps {
			from := len(dst)
			dst = steps[i].dec(r, dst)
			if r.err != nil {
				r.in(steps[i].name)
				return dst
			}
			if steps[i].col >= 0 {
				r.spans[steps[i].col] = span{from, len(dst)}
			}
		}
		r.tmp = append(r.tmp[:0], dst[start:]...)
		dst = dst[:start]
		for _, s := range r.spans {
			dst = append(dst, r.tmp[s.from-start:s.to-start]...)
		}
		return dst
	}
}

// value compiles a type to one column of the target type.
func (c *compiler) value(n *node, target repr.Type, notNull bool) (decode, error) {
	if err := c.spend(); err != nil {
		return nil, err
	}
	if n.kind == kindNull {
		return nullValue(notNull), nil
	}
	if n.kind == kindUnion && (n.strip() != n || target.Kind != repr.KindJSONB) {
		return c.union(n, target, notNull)
	}
	switch {
	case target.Kind == repr.KindJSONB && n.form != formJSON:
		return c.jsonb(n, notNull)
	case target.Kind == repr.KindArray && n.kind == kindArray:
		return c.array(n, target)
	case n.form == formGeometry && target.Kind == repr.KindBytea:
		return c.geometry(n)
	case n.form == formComplex || n.form == formGeometry:
		return nil, mismatch(n, target)
	}
	natural := c.schema.natural(n)
	dec := c.leaf(n, natural)
	if natural.Kind == target.Kind {
		return dec, nil
	}
	conv := conversion(natural.Kind, target.Kind)
	if conv == nil {
		return nil, mismatch(n, target)
	}
	return func(r *reader, dst []byte) []byte {
		var buf [64]byte
		b := dec(r, buf[:0])
		if r.err != nil {
			return dst
		}
		d, _ := repr.Decode(b)
		d, err := conv(d)
		if err != nil {
			r.failWith(err)
			return dst
		}
		return repr.Append(dst, d)
	}, nil
}

func nullValue(notNull bool) decode {
	if notNull {
		return func(r *reader, dst []byte) []byte {
			r.fail(repr.CodeNotNullViolation, "null value in a column that is not null")
			return dst
		}
	}
	return func(_ *reader, dst []byte) []byte { return repr.Append(dst, repr.Null) }
}

func (c *compiler) union(n *node, target repr.Type, notNull bool) (decode, error) {
	decs := make([]decode, len(n.branches))
	for i, b := range n.branches {
		dec, err := c.value(b, target, notNull)
		if err != nil {
			return nil, err
		}
		decs[i] = dec
	}
	return func(r *reader, dst []byte) []byte {
		// The usual union of null and one type has indexes that are one byte, 0 or 2.
		if r.pos < len(r.buf) && len(decs) == 2 {
			if b := r.buf[r.pos]; b == 0 || b == 2 {
				r.pos++
				return decs[b>>1](r, dst)
			}
		}
		i := r.branch(len(decs))
		if r.err != nil {
			return dst
		}
		return decs[i](r, dst)
	}, nil
}

// geometry compiles a record to the bytes of its field wkb.
func (c *compiler) geometry(n *node) (decode, error) {
	return c.row(n, []Column{{Column: repr.Column{Name: "wkb", Type: repr.TypeOf(repr.KindBytea)}}})
}

func (c *compiler) array(n *node, target repr.Type) (decode, error) {
	item, err := c.value(n.items, repr.TypeOf(target.Elem), false)
	if err != nil {
		return nil, err
	}
	return func(r *reader, dst []byte) []byte {
		var elems []repr.Datum
		for k := r.block(); k > 0; k = r.block() {
			for range k {
				b := item(r, nil)
				if r.err != nil {
					return dst
				}
				d, _ := repr.Decode(b)
				elems = append(elems, d)
			}
		}
		if r.err != nil {
			return dst
		}
		return repr.Append(dst, repr.Array(elems))
	}, nil
}

// skip compiles a type to a closure that steps over it.
func (c *compiler) skip(n *node) (decode, error) {
	if err := c.spend(); err != nil {
		return nil, err
	}
	switch n.kind {
	case kindRecord:
		return c.skipRecord(n)
	case kindUnion:
		return c.skipUnion(n)
	case kindArray, kindMap:
		return c.skipBlocks(n)
	default:
		return skipLeaf(n), nil
	}
}

func skipLeaf(n *node) decode {
	switch n.kind {
	case kindNull:
		return func(_ *reader, dst []byte) []byte { return dst }
	case kindBool:
		return func(r *reader, dst []byte) []byte { r.boolean(); return dst }
	case kindInt, kindLong, kindEnum:
		return func(r *reader, dst []byte) []byte { r.long(); return dst }
	case kindFloat:
		return func(r *reader, dst []byte) []byte { r.take(4); return dst }
	case kindDouble:
		return func(r *reader, dst []byte) []byte { r.take(8); return dst }
	case kindFixed:
		return func(r *reader, dst []byte) []byte { r.take(n.size); return dst }
	default: // bytes, string
		return func(r *reader, dst []byte) []byte { r.bytes(); return dst }
	}
}

func (c *compiler) skipRecord(n *node) (decode, error) {
	skips := make([]decode, len(n.fields))
	for i := range n.fields {
		skip, err := c.skip(n.fields[i].node)
		if err != nil {
			return nil, err
		}
		skips[i] = skip
	}
	return func(r *reader, dst []byte) []byte {
		if !r.spend() {
			return dst
		}
		for i := range skips {
			skips[i](r, dst)
			if r.err != nil {
				r.in(n.fields[i].name)
				return dst
			}
		}
		return dst
	}, nil
}

func (c *compiler) skipUnion(n *node) (decode, error) {
	skips := make([]decode, len(n.branches))
	for i, b := range n.branches {
		skip, err := c.skip(b)
		if err != nil {
			return nil, err
		}
		skips[i] = skip
	}
	return func(r *reader, dst []byte) []byte {
		i := r.branch(len(skips))
		if r.err == nil {
			skips[i](r, dst)
		}
		return dst
	}, nil
}

func (c *compiler) skipBlocks(n *node) (decode, error) {
	skip, err := c.skip(n.items)
	if err != nil {
		return nil, err
	}
	isMap := n.kind == kindMap
	return func(r *reader, dst []byte) []byte {
		for k := r.block(); k > 0; k = r.block() {
			for ; k > 0 && r.err == nil; k-- {
				if isMap {
					r.bytes()
				}
				skip(r, dst)
			}
		}
		return dst
	}, nil
}

// match finds the column of each field of a record: that of its name, or else, for a field that was renamed, one of which either of the
// two schemas says that both are the same. -1: the columns lack it.
func (n *node) match(cols []Column) []int {
	at := make([]int, len(n.fields))
	taken := make([]bool, len(cols))
	for i := range n.fields {
		at[i] = slices.IndexFunc(cols, func(c Column) bool { return c.Name == n.fields[i].name })
		if at[i] >= 0 {
			taken[at[i]] = true
		}
	}
	for i := range n.fields {
		if at[i] >= 0 {
			continue
		}
		f := &n.fields[i]
		at[i] = slices.IndexFunc(cols, func(c Column) bool {
			return n.field(c.Name) == nil && (slices.Contains(c.Aliases, f.name) || slices.Contains(f.aliases, c.Name))
		})
		if at[i] >= 0 && taken[at[i]] { // two fields have been the one column: the first one is it
			at[i] = -1
		} else if at[i] >= 0 {
			taken[at[i]] = true
		}
	}
	return at
}

func mismatch(n *node, target repr.Type) *repr.Error {
	return repr.NewError(repr.CodeDatatypeMismatch, fmt.Sprintf("the record's schema has %s where the column is %s", n.describe(), target))
}

var kindNames = [...]string{
	kindNull: "null", kindBool: "boolean", kindInt: "int", kindLong: "long", kindFloat: "float", kindDouble: "double",
	kindBytes: "bytes", kindString: "string", kindFixed: "fixed", kindEnum: "enum", kindArray: "array",
	kindMap: "map", kindRecord: "record", kindUnion: "union",
}

func (n *node) describe() string {
	name := "Avro " + kindNames[n.kind]
	if n.form != plainForms[n.kind] {
		name += " (a " + formKinds[n.form].String() + ")"
	}
	return name
}

func inField(name string, err error) error {
	if e, ok := err.(*repr.Error); ok {
		c := *e
		c.Message = fmt.Sprintf("field %q: %s", name, e.Message)
		return &c
	}
	return fmt.Errorf("field %q: %w", name, err)
}
