package lower

import (
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// program is a linear function with its fields, compiled for one worker. Its input is one row or several pieces
// of one; it copies plain columns as packed bytes and decodes only what is computed.
type program struct {
	row   expr.Row
	preds expr.Predicate // nil: none
	outs  []out
	cells []*cell
	whole bool // all columns of the single part as they stand
	env   *expr.Env
}

// out is one column to be written.
type out struct {
	col   int // plain copy of this column and those up to last; -1: eval
	last  int
	pack  expr.Pack // not nil: how the value is packed, when it is wanted as it prints
	eval  expr.Eval // nil: the whole row
	canon bool
	as    repr.Kind
	drop  bool
}

// cell is a computed column that more than one expression reads: evaluated at most once for each row.
type cell struct {
	eval expr.Eval
	done bool
	val  repr.Datum
	err  *repr.Error
}

// rowFunc compiles a function and its fields for Map, Arrange and Reduce.
func rowFunc(f linear, fields []field, env *expr.Env) func() dataflow.RowFunc {
	return func() dataflow.RowFunc {
		p := compile(f, fields, env)
		parts := make([][]byte, 1)
		return func(dst, row []byte) ([]byte, bool, *repr.Error) {
			parts[0] = row
			return p.run(dst, parts)
		}
	}
}

// joinFunc compiles a function over the columns of key, left and right in that order.
func joinFunc(f linear, fields []field, env *expr.Env) func() dataflow.JoinFunc {
	return func() dataflow.JoinFunc {
		p := compile(f, fields, env)
		parts := make([][]byte, 3)
		return func(dst, key, left, right []byte) ([]byte, bool, *repr.Error) {
			parts[0], parts[1], parts[2] = key, left, right
			return p.run(dst, parts)
		}
	}
}

func compile(f linear, fields []field, env *expr.Env) *program {
	p := &program{row: expr.Row{Width: f.in}, env: env}
	outs := make([]expr.Scalar, len(fields))
	for i, fd := range fields {
		if !fd.whole {
			outs[i] = f.over(fd.expr)
		}
	}
	resolve := p.resolver(f, outs, env)
	if len(f.preds) > 0 {
		preds := make([]expr.Scalar, len(f.preds))
		for i, e := range f.preds {
			preds[i] = resolve(e)
		}
		p.preds = expr.CompilePredicate(preds, env)
	}
	for i, fd := range fields {
		o := out{col: -1, canon: fd.canon, as: fd.as, drop: fd.drop}
		if fd.whole {
			p.outs = append(p.outs, o)
			continue
		}
		e := resolve(outs[i])
		o.canon = fd.canon && !e.Type().Kind.KeyIsValue()
		c, plain := e.(*expr.Column)
		same := !o.canon && (fd.as == repr.KindNull || fd.as == e.Type().Kind)
		switch {
		case plain && same:
			o.col, o.last = c.Index, c.Index
		case same && !o.drop:
			o.pack = expr.CompilePack(e, env)
		default:
			o.eval = expr.Compile(e, env)
		}
		p.outs = append(p.outs, o)
	}
	p.whole = p.copiesAll(f.in)
	p.outs = joined(p.outs)
	return p
}

// joined makes one copy of those of columns that stand side by side.
func joined(outs []out) []out {
	var list []out
	for _, o := range outs {
		if n := len(list); n > 0 && o.col >= 0 && !o.drop && list[n-1].col >= 0 && !list[n-1].drop && list[n-1].last+1 == o.col {
			list[n-1].last = o.col
			continue
		}
		list = append(list, o)
	}
	return list
}

// resolver returns the rewriting of an expression over input and computed columns into one that can be compiled:
// a computed column is put in place where it is read once, and becomes a cell where it is read more often.
func (p *program) resolver(f linear, outs []expr.Scalar, env *expr.Env) func(expr.Scalar) expr.Scalar {
	reads := make([]int, len(f.exprs))
	count := func(e expr.Scalar) {
		if e == nil {
			return
		}
		expr.Walk(e, func(e expr.Scalar) bool {
			if c, ok := e.(*expr.Column); ok && c.Index >= f.in {
				reads[c.Index-f.in]++
			}
			return true
		})
	}
	for _, e := range f.preds {
		count(e)
	}
	for _, e := range outs {
		count(e)
	}
	for i := len(f.exprs) - 1; i >= 0; i-- {
		if reads[i] > 0 {
			count(f.exprs[i])
		}
	}
	done := make([]expr.Scalar, len(f.exprs))
	resolve := func(e expr.Scalar) expr.Scalar {
		return rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
			if c.Index < f.in {
				return c
			}
			return done[c.Index-f.in]
		})
	}
	for i, e := range f.exprs {
		if reads[i] == 0 {
			continue
		}
		done[i] = resolve(e)
		if _, ok := done[i].(*expr.Const); reads[i] > 1 && !ok {
			done[i] = p.cell(done[i], env)
		}
	}
	return resolve
}

func (p *program) cell(e expr.Scalar, env *expr.Env) expr.Scalar {
	c := &cell{eval: expr.Compile(e, env)}
	p.cells = append(p.cells, c)
	read := func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) {
		if !c.done {
			c.val, c.err = c.eval(&p.row)
			c.done = true
		}
		return c.val, c.err
	}
	fn := &expr.Func{Name: "column", Ret: e.Type(), NullCalled: true, Eval: read}
	return &expr.Call{Fn: fn, Typ: e.Type()}
}

// copiesAll says whether the outputs are the first n columns in order, all there are.
func (p *program) copiesAll(n int) bool {
	if len(p.outs) != n {
		return false
	}
	for i, o := range p.outs {
		if o.col != i || o.drop {
			return false
		}
	}
	return true
}

// run applies the program to a row that comes in parts.
func (p *program) run(dst []byte, parts [][]byte) ([]byte, bool, *repr.Error) {
	for _, c := range p.cells {
		c.done = false
	}
	p.row.SetParts(parts)
	if p.preds != nil {
		keep, err := p.preds(&p.row)
		if err != nil || !keep {
			return dst, false, err
		}
	}
	if p.whole {
		for _, part := range parts {
			dst = append(dst, part...)
		}
		return dst, true, nil
	}
	return p.write(dst, parts)
}

// longRow is from which length on it is asked whether a row is too long.
const longRow = 1 << 16

func (p *program) write(dst []byte, parts [][]byte) ([]byte, bool, *repr.Error) {
	from := len(dst)
	for i := range p.outs {
		o := &p.outs[i]
		switch {
		case o.col >= 0:
			if o.drop && repr.IsNull(p.row.Packed(o.col)) {
				return dst, false, nil
			}
			dst = p.row.AppendColumns(dst, o.col, o.last)
		case o.pack != nil:
			var err *repr.Error
			if dst, err = o.pack(dst, &p.row); err != nil {
				return dst, false, err
			}
		case o.eval == nil:
			dst = appendWhole(dst, parts)
		default:
			d, err := o.eval(&p.row)
			if err != nil || (o.drop && d.IsNull()) {
				return dst, false, err
			}
			dst = o.append(dst, d)
		}
		if n := len(dst) - from; n > longRow {
			if err := p.env.TooLong(int64(n)); err != nil {
				return dst, false, err
			}
		}
	}
	return dst, true, nil
}

func (o *out) append(dst []byte, d repr.Datum) []byte {
	if o.as != repr.KindNull {
		d = d.As(o.as)
	}
	if o.canon {
		return repr.AppendKey(dst, d)
	}
	return repr.Append(dst, d)
}

// appendWhole packs the bytes of the row, as they stand, as one bytea.
func appendWhole(dst []byte, parts [][]byte) []byte {
	if len(parts) == 1 {
		return repr.Append(dst, repr.Bytea(parts[0]))
	}
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return repr.Append(dst, repr.Bytea(all))
}
