package avro

import (
	"millrace/repr"
	"millrace/repr/format/json"
	"millrace/repr/jsonb"
)

// jsonb compiles any type to one jsonb column: records and maps are objects, arrays are lists, scalars are written
// as PostgreSQL's to_jsonb writes a column of their natural type.
func (c *compiler) jsonb(n *node, notNull bool) (decode, error) {
	render, err := c.render(n)
	if err != nil {
		return nil, err
	}
	return func(r *reader, dst []byte) []byte {
		r.json = render(r, r.json[:0])
		if r.err != nil {
			return dst
		}
		if !notNull && string(r.json) == "null" {
			return repr.Append(dst, repr.Null)
		}
		return appendNormal(r, dst, r.json)
	}, nil
}

// render compiles a type to a closure that appends its value as JSON text.
func (c *compiler) render(n *node) (decode, error) {
	if err := c.spend(); err != nil {
		return nil, err
	}
	if n.form == formVarDecimal {
		return c.renderLeaf(n), nil
	}
	switch n.kind {
	case kindNull:
		return func(_ *reader, dst []byte) []byte { return append(dst, "null"...) }, nil
	case kindUnion:
		return c.renderUnion(n)
	case kindRecord:
		return c.renderRecord(n)
	case kindArray, kindMap:
		return c.renderBlocks(n)
	default:
		return c.renderLeaf(n), nil
	}
}

func (c *compiler) renderLeaf(n *node) decode {
	t := c.schema.natural(n)
	dec := c.leaf(n, t)
	return func(r *reader, dst []byte) []byte {
		var buf [64]byte
		b := dec(r, buf[:0])
		if r.err != nil {
			return dst
		}
		d, _ := repr.Decode(b)
		return json.AppendValue(dst, t, d)
	}
}

func (c *compiler) renderUnion(n *node) (decode, error) {
	renders := make([]decode, len(n.branches))
	for i, b := range n.branches {
		render, err := c.render(b)
		if err != nil {
			return nil, err
		}
		renders[i] = render
	}
	return func(r *reader, dst []byte) []byte {
		i := r.branch(len(renders))
		if r.err != nil {
			return dst
		}
		return renders[i](r, dst)
	}, nil
}

func (c *compiler) renderRecord(n *node) (decode, error) {
	renders := make([]decode, len(n.fields))
	heads := make([][]byte, len(n.fields))
	for i := range n.fields {
		render, err := c.render(n.fields[i].node)
		if err != nil {
			return nil, err
		}
		renders[i] = render
		head := []byte{','}
		if i == 0 {
			head = nil
		}
		heads[i] = append(jsonb.AppendString(head, n.fields[i].name), ':')
	}
	return func(r *reader, dst []byte) []byte {
		if !r.spend() {
			return dst
		}
		dst = append(dst, '{')
		for i, render := range renders {
			dst = render(r, append(dst, heads[i]...))
			if r.err != nil {
				r.in(n.fields[i].name)
				return dst
			}
		}
		return append(dst, '}')
	}, nil
}

func (c *compiler) renderBlocks(n *node) (decode, error) {
	render, err := c.render(n.items)
	if err != nil {
		return nil, err
	}
	open, end, isMap := byte('['), byte(']'), n.kind == kindMap
	if isMap {
		open, end = '{', '}'
	}
	return func(r *reader, dst []byte) []byte {
		dst = append(dst, open)
		first := true
		for k := r.block(); k > 0; k = r.block() {
			for range k {
				if !first {
					dst = append(dst, ',')
				}
				first = false
				if isMap {
					dst = appendMapKey(r, dst)
				}
				dst = render(r, dst)
				if r.err != nil {
					return dst
				}
			}
		}
		return append(dst, end)
	}, nil
}

func appendMapKey(r *reader, dst []byte) []byte {
	key := r.bytes()
	if !checkText(r, key) {
		return dst
	}
	return append(jsonb.AppendString(dst, string(key)), ':')
}
