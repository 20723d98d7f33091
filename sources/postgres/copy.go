package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pglogrepl"

	"millrace/repr"
	"millrace/sources"
)

// Bounds of what is handed over at once.
const (
	batchRows  = 10_000
	batchBytes = 1 << 20
)

// filling reads the first content of tables at one moment.
type filling struct {
	*reader
	moment pglogrepl.LSN
	whole  *sources.Batch // what is handed over in the end, when the tables are read anew; nil: as it comes
}

// fill gives tables a content. Those that are read anew get it in one batch, and keep what they have until then.
func (r *reader) fill(ctx context.Context, tables []*table, anew bool) error {
	repl, err := r.address().connect(ctx, true)
	if err != nil {
		return err
	}
	defer repl.close(ctx) // the slot goes with it
	r.report(sources.State{Status: statusStarting, Hint: waitsHint})
	name := r.cfg.Slot + "_snapshot"
	slot, err := pglogrepl.CreateReplicationSlot(ctx, repl.PgConn, name, "pgoutput",
		pglogrepl.CreateReplicationSlotOptions{Temporary: true, SnapshotAction: "EXPORT_SNAPSHOT"})
	if err != nil {
		return explain(err, r.address())
	}
	r.report(sources.State{Status: statusStarting})
	f := &filling{reader: r}
	if f.moment, err = pglogrepl.ParseLSN(slot.ConsistentPoint); err != nil {
		return fmt.Errorf("read the moment of a snapshot: %w", err)
	}
	if anew {
		f.whole = r.batch
	}
	read, err := r.address().connect(ctx, false)
	if err != nil {
		return err
	}
	defer read.close(ctx)
	if _, err := read.query(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "+quoteText(slot.SnapshotName)); err != nil {
		return err
	}
	list, err := read.upstream(ctx, r.cfg.Publication)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := f.table(ctx, read, t, list); err != nil {
			return err
		}
	}
	if !anew {
		for _, t := range tables {
			f.joins(t)
		}
		return r.push(ctx)
	}
	return nil
}

// table reads one table.
func (f *filling) table(ctx context.Context, c *conn, t *table, list []*upstream) error {
	up, err := t.match(list)
	if err != nil {
		return err
	}
	t.up, t.seen, t.at, t.told, t.suspect = up, nil, nil, false, 0
	w := &copied{ctx: ctx, f: f, t: t, total: up.rows}
	t.forget()
	w.begin(true)
	f.log().Info("reading a table", "table", up.String(), "rows", up.rows)
	if _, err := c.CopyTo(ctx, w, up.copyText()); err != nil {
		if w.err != nil {
			return w.err
		}
		return explain(err, f.address())
	}
	t.at = nil
	if f.whole != nil {
		f.joins(t)
		return nil
	}
	return w.flush()
}

// joins notes that the content of a table is complete.
func (f *filling) joins(t *table) {
	t.joined, t.due, f.loose = f.moment, 0, true
	if f.following().Buries() && t.refused.len() > 0 {
		t.due = f.moment
	}
}

// match finds the table among those of the publication, as it is there now, with the columns that it has here.
func (t *table) match(list []*upstream) (*upstream, error) {
	var now *upstream
	for _, u := range list {
		if u.Schema == t.up.Schema && u.Name == t.up.Name {
			now = u
		}
		if u.OID == t.up.OID {
			now = u
			break
		}
	}
	if now == nil {
		return nil, repr.NewError(repr.CodeUndefinedTable, "table "+t.up.String()+" is not in the publication any more").
			WithHint("put it back there with ALTER PUBLICATION … ADD TABLE, and run ALTER SOURCE … RESNAPSHOT here; or drop the table here")
	}
	if err := now.problem(); err != nil {
		return nil, err
	}
	out := *now
	out.Columns = make([]upstreamed, len(t.up.Columns))
	for i, c := range t.up.Columns {
		c.Gone = true
		for _, n := range now.Columns {
			if n.Name == c.Name || now.OID == t.up.OID && n.Number == c.Number {
				c = n
			}
		}
		if !c.Gone && !t.holds(i, c.typ) {
			return nil, repr.NewError(repr.CodeObjectNotReady, "column \""+c.Name+"\" of table "+t.up.String()+" is now of type "+c.typ.String()+
				", and was of type "+t.types[i].String()).WithHint("drop the table here and create it again")
		}
		out.Columns[i] = c
	}
	return &out, t.keyStays(&out)
}

// holds says whether a column of ours can have values of a type. A text without a length holds those of any.
func (t *table) holds(column int, is repr.Type) bool {
	was := t.types[column]
	return is == was || is.Kind == repr.KindVarchar && was.Kind == repr.KindVarchar
}

// keyStays refuses a table whose rows can no longer be told apart as before.
func (t *table) keyStays(now *upstream) error {
	if len(t.key) == 0 && now.identity == "f" {
		return nil
	}
	for i, c := range now.Columns {
		isKey, was := false, false
		for _, k := range now.Key {
			isKey = isKey || k == c.Number
		}
		for _, k := range t.key {
			was = was || k == i
		}
		if isKey != was && now.identity != "f" {
			return repr.NewError(repr.CodeObjectNotReady, "table "+t.up.String()+" has another key now").
				WithHint("drop the table here and create it again")
		}
	}
	return nil
}

// copyText is the statement that reads the table.
func (u *upstream) copyText() string {
	cols := make([]string, len(u.Columns))
	for i, c := range u.Columns {
		if cols[i] = quoteIdent(c.Name); c.Gone {
			cols[i] = "NULL"
		}
	}
	only := "ONLY "
	if u.partitioned {
		only = ""
	}
	where := ""
	if u.Filter != "" {
		where = " WHERE " + u.Filter
	}
	return "COPY (SELECT " + strings.Join(cols, ", ") + " FROM " + only + quoteIdent(u.Schema) + "." + quoteIdent(u.Name) + where + ") TO STDOUT"
}

// copied takes the rows of a COPY: each Write is one.
type copied struct {
	ctx   context.Context // of the COPY that writes
	f     *filling
	t     *table
	p     *part
	vals  []value
	text  []byte
	total int64
	err   error
}

// begin opens a part; the first one takes away what was there before.
func (w *copied) begin(first bool) {
	w.p = w.f.partOf(w.t)
	w.p.Total = w.total
	if first {
		w.p.Replace = true
		w.t.healAll(w.p)
		if w.t.joined != 0 && w.t.due == 0 {
			w.p.mayStay()
		}
	}
}

// Write takes a row.
func (w *copied) Write(line []byte) (int, error) {
	n := len(line)
	line = bytes.TrimSuffix(line, []byte("\n"))
	if w.t.at == nil {
		w.t.at = map[int]int{}
		for i := range w.t.types {
			w.t.at[i] = i
		}
	}
	w.vals, w.text = splitLine(w.vals[:0], w.text[:0], line)
	bad, err := w.t.apply(w.p, &change{op: 'I', new: w.vals})
	if err != nil {
		w.err = err
		return 0, err
	}
	if bad != nil {
		w.f.refuse(w.t, w.vals, begin{commit: w.f.moment}, bad)
	}
	b := w.f.batch
	b.Records++
	b.Bytes += int64(n)
	w.f.fetched.Add(int64(n))
	if full := w.f.pending(n) >= batchBytes || len(w.p.Updates) >= batchRows; full && w.f.whole == nil {
		w.err = w.flush()
	} else if full {
		w.err = w.f.gather(w.ctx)
	}
	if w.err != nil {
		return 0, w.err
	}
	return n, nil
}

// flush hands over what was read.
func (w *copied) flush() error {
	if err := w.f.push(w.ctx); err != nil {
		return err
	}
	w.begin(false)
	return nil
}

// splitLine takes a line of COPY's text form apart; values in which something is escaped go to text, which they share.
func splitLine(dst []value, text, line []byte) ([]value, []byte) {
	for {
		end := bytes.IndexByte(line, '\t')
		field := line
		if end >= 0 {
			field = line[:end]
		}
		switch {
		case len(field) == 2 && field[0] == '\\' && field[1] == 'N':
			dst = append(dst, value{kind: 'n'})
		case bytes.IndexByte(field, '\\') < 0:
			dst = append(dst, value{kind: 't', text: field})
		default:
			at := len(text)
			text = unescape(text, field)
			dst = append(dst, value{kind: 't', text: text[at:len(text):len(text)]})
		}
		if end < 0 {
			return dst, text
		}
		line = line[end+1:]
	}
}

// escapes are what stands behind a backslash, other than itself.
var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

func unescape(dst, field []byte) []byte {
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c == '\\' && i+1 < len(field) {
			i++
			if c = field[i]; escapes[c] != 0 {
				c = escapes[c]
			}
		}
		dst = append(dst, c)
	}
	return dst
}
