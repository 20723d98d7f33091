package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/coord"
	"millrace/coord/catalog"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// dumper writes what a server holds as SQL.
type dumper struct {
	c      *pgconn.PgConn
	out    *bufio.Writer
	asOf   string
	schema bool // what makes the objects
	data   bool
	path   string // the search path at this place of the dump
}

// definition is an object as mz_internal.mz_definitions has it.
type definition struct {
	id, schema, name, kind string
	path                   []string
	onSchema, onName       string
	statement              string
	widened                bool // columns were added to those that its statement finds
}

// dump writes the catalog and the rows of the tables as SQL.
func dump(ctx context.Context, args []string) (err error) {
	set := flag.NewFlagSet("millrace dump", flag.ContinueOnError)
	var c config
	c.flags(set)
	offline := set.Bool("offline", false, "read the data directory; no server may run on it")
	schemaOnly := set.Bool("schema-only", false, "no rows")
	dataOnly := set.Bool("data-only", false, "only rows")
	d := &dumper{}
	set.StringVar(&d.asOf, "as-of", "", "a `time` that can be read, as for AS OF: the newest when it is not given")
	file := set.String("file", "", "`file` to write; standard output when it is not given")
	if err := load(set, &c, args); err != nil {
		return err
	}
	if *schemaOnly && *dataOnly {
		return errors.New("--schema-only and --data-only leave nothing to dump")
	}
	d.schema, d.data = !*dataOnly, !*schemaOnly
	done, err := d.connect(ctx, &c, *offline)
	if err != nil {
		return err
	}
	defer done()
	out := os.Stdout
	if *file != "" {
		if out, err = os.OpenFile(*file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return err
		}
	}
	d.out = bufio.NewWriterSize(out, 1<<20) // it keeps its first error for Flush
	err = errors.Join(d.all(ctx), d.out.Flush())
	if *file != "" {
		err = errors.Join(err, out.Sync(), out.Close())
	}
	return err
}

func (d *dumper) connect(ctx context.Context, c *config, offline bool) (done func(), err error) {
	done = func() {}
	if offline {
		if _, err := os.Stat(c.DataDir); errors.Is(err, fs.ErrNotExist) { // it would be made, and the dump of it be empty
			return done, fmt.Errorf("there is no data directory %s: --data-dir names the one to read", c.DataDir)
		}
		d.c, done, err = c.inside(ctx, coord.Options{Dormant: true})
		return done, err
	}
	d.c, err = c.dial(ctx)
	return done, err
}

// dumpSettings make values look the same wherever they are written and read.
const dumpSettings = "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex';"

// all writes the dump: what rows need, the rows, and what reads them.
func (d *dumper) all(ctx context.Context) error {
	begin := "BEGIN READ ONLY" // then all is read at one time
	if d.asOf != "" {
		begin = ""
	}
	for _, sql := range []string{dumpSettings, begin} {
		if _, err := d.c.Exec(ctx, sql).ReadAll(); err != nil {
			return err
		}
	}
	defs, err := d.definitions(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(d.out, "-- millrace dump\n%s\n", strings.ReplaceAll(dumpSettings, "; ", ";\n"))
	isTable := func(x definition) bool { return x.kind == catalog.Table.String() }
	if d.schema {
		if err := d.schemas(ctx); err != nil {
			return err
		}
	}
	for _, x := range defs {
		if !isTable(x) {
			continue
		}
		if err := d.object(x); err != nil {
			return err
		}
	}
	for _, x := range defs {
		if d.data && isTable(x) {
			if err := d.rows(ctx, x); err != nil {
				return fmt.Errorf("the rows of %s.%s: %w", x.schema, x.name, err)
			}
		}
	}
	for _, x := range defs {
		if !isTable(x) {
			if err := d.object(x); err != nil {
				return err
			}
		}
	}
	return d.comments(ctx)
}

// query gives all rows of a query as texts.
func (d *dumper) query(ctx context.Context, sql string) ([][]string, error) {
	res, err := d.c.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, row := range res[0].Rows {
		texts := make([]string, len(row))
		for i, v := range row {
			texts[i] = string(v)
		}
		out = append(out, texts)
	}
	return out, nil
}

// definitions are the objects in the order in which they were made, so that each comes after those that it names.
func (d *dumper) definitions(ctx context.Context) ([]definition, error) {
	rows, err := d.query(ctx, "SELECT id, schema, name, type, search_path, on_schema, on_name, statement, columns_added FROM mz_internal.mz_definitions ORDER BY position")
	if err != nil {
		return nil, err
	}
	out := make([]definition, len(rows))
	for i, r := range rows {
		out[i] = definition{id: r[0], schema: r[1], name: r[2], kind: r[3], onSchema: r[5], onName: r[6], statement: r[7], widened: r[8] == "t"}
		if err := json.Unmarshal([]byte(r[4]), &out[i].path); err != nil {
			return nil, fmt.Errorf("the search path of %s: %w", r[2], err)
		}
	}
	return out, nil
}

func (d *dumper) schemas(ctx context.Context) error {
	rows, err := d.query(ctx, "SELECT name FROM mz_schemas ORDER BY 1")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if name := r[0]; name != catalog.DefaultSchema && !slices.Contains(catalog.SystemSchemas, name) {
			_, _ = fmt.Fprintf(d.out, "CREATE SCHEMA %s;\n", ast.QuoteIdent(name))
		}
	}
	return nil
}

// object writes the statement of an object, under the search path that it was made under.
func (d *dumper) object(x definition) error {
	if !d.schema {
		return nil
	}
	sql, err := x.sql()
	if err != nil {
		return fmt.Errorf("the statement of %s.%s: %w", x.schema, x.name, err)
	}
	quoted := make([]string, len(x.path))
	for i, p := range x.path {
		quoted[i] = ast.QuoteIdent(p)
	}
	if path := strings.Join(quoted, ", "); path != d.path {
		_, _ = fmt.Fprintf(d.out, "SET search_path = %s;\n", path)
		d.path = path
	}
	if strings.Contains(sql, "<hidden>") {
		_, _ = fmt.Fprintln(d.out, "-- The secret of what follows is not in the dump: write it in place of <hidden>.")
	}
	_, err = fmt.Fprintf(d.out, "%s;\n", sql)
	if x.widened && err == nil { // what the statement finds are the fields of the first records
		_, err = fmt.Fprintf(d.out, "ALTER SOURCE %s.%s ADD MISSING COLUMNS;\n", ast.QuoteIdent(x.schema), ast.QuoteIdent(x.name))
	}
	return err
}

// sql is the statement of an object with the names that it and its relation have now, and with their schemas.
func (x definition) sql() (string, error) {
	stmts, err := parse.Parse(x.statement)
	if err != nil {
		return "", err
	}
	if len(stmts) != 1 {
		return "", errors.New("it does not parse as one statement")
	}
	name := ast.Name{Parts: []string{x.schema, x.name}}
	on := ast.Name{Parts: []string{x.onSchema, x.onName}}
	made := ast.Made(stmts[0].Stmt)
	if made != nil {
		*made = name
	}
	switch st := stmts[0].Stmt.(type) {
	case *ast.CreateView:
		st.OrReplace = false
	case *ast.CreateIndex:
		st.Name, st.On = x.name, on
	case *ast.CreateSink:
		st.From = on
	case *ast.CreateSubscription:
		st.On = on
	default:
		if made == nil {
			return "", fmt.Errorf("a dump has no %T", st)
		}
	}
	return ast.Format(stmts[0].Stmt), nil
}

// dumpBlock is how many bytes of rows one COPY of a dump has at least: it is one transaction when it is read.
const dumpBlock = 32 << 20

// blocks parts the rows of a COPY into several.
type blocks struct {
	out   *bufio.Writer
	begin string
	n     int // bytes in the block; 0 outside of one
}

// Write takes a line of a COPY.
func (b *blocks) Write(line []byte) (int, error) {
	if b.n == 0 {
		if _, err := b.out.WriteString(b.begin); err != nil {
			return 0, err
		}
	}
	b.n += len(line)
	n, err := b.out.Write(line)
	if err == nil && b.n >= dumpBlock && line[len(line)-1] == '\n' {
		err = b.end()
	}
	return n, err
}

func (b *blocks) end() error {
	if b.n == 0 {
		return nil
	}
	b.n = 0
	_, err := b.out.WriteString("\\.\n")
	return err
}

// rows writes the rows of a table.
func (d *dumper) rows(ctx context.Context, x definition) error {
	cols, err := d.query(ctx, "SELECT name FROM mz_columns WHERE id = '"+x.id+"' ORDER BY position")
	if err != nil {
		return err
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = ast.QuoteIdent(c[0])
	}
	table, list := ast.QuoteIdent(x.schema)+"."+ast.QuoteIdent(x.name), strings.Join(names, ", ")
	at := ""
	if d.asOf != "" {
		if at = " AS OF " + d.asOf; !isNumber(d.asOf) {
			at = " AS OF '" + strings.ReplaceAll(d.asOf, "'", "''") + "'"
		}
	}
	b := &blocks{out: d.out, begin: "COPY " + table + " (" + list + ") FROM stdin;\n"}
	if _, err := d.c.CopyTo(ctx, b, "COPY (SELECT "+list+" FROM "+table+at+") TO STDOUT"); err != nil {
		return err
	}
	return b.end()
}

func isNumber(s string) bool { _, err := strconv.ParseUint(s, 10, 64); return err == nil }

// comments writes the comments on objects and columns.
func (d *dumper) comments(ctx context.Context) error {
	if !d.schema {
		return nil
	}
	rows, err := d.query(ctx, `SELECT o.type, o.schema, o.name, coalesce(c.name, ''), d.description FROM pg_description AS d
		JOIN mz_internal.mz_definitions AS o ON d.objoid = o.oid LEFT JOIN mz_columns AS c ON c.id = o.id AND c.position = d.objsubid
		ORDER BY o.position, d.objsubid`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		on := strings.ToUpper(r[0]) + " " + ast.QuoteIdent(r[1]) + "." + ast.QuoteIdent(r[2])
		if r[3] != "" {
			on = "COLUMN " + ast.QuoteIdent(r[1]) + "." + ast.QuoteIdent(r[2]) + "." + ast.QuoteIdent(r[3])
		}
		if _, err := io.WriteString(d.out, "COMMENT ON "+on+" IS "+ast.QuoteLiteral(r[4])+";\n"); err != nil {
			return err
		}
	}
	return nil
}
