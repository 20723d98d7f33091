package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"millrace/repr"
)

// examine says whether the table is there, and refuses one that does not fit the view.
func (t *target) examine(ctx context.Context) (there bool, err error) {
	var oid *uint32
	if err := t.conn.QueryRow(ctx, "SELECT to_regclass($1)::oid", t.cfg.table()).Scan(&oid); err != nil || oid == nil {
		return false, err
	}
	rows, err := t.conn.Query(ctx, `SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
		WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped`, *oid)
	if err != nil {
		return true, err
	}
	types := map[string]string{}
	var name, typ string
	if _, err := pgx.ForEachRow(rows, []any{&name, &typ}, func() error { types[name] = typ; return nil }); err != nil {
		return true, err
	}
	for _, c := range t.cfg.Cols {
		typ, ok := types[c.Name]
		if !ok {
			return true, t.misfit(fmt.Sprintf("it has no column %q", c.Name))
		}
		if want := repr.TypeOf(c.Type.Kind).String(); c.Type.Kind != repr.KindArray && !fits(want, typ) {
			return true, t.misfit(fmt.Sprintf("its column %q is of type %s, that of the view of type %s", c.Name, typ, want))
		}
	}
	return true, t.examineKey(ctx, *oid)
}

// examineKey wants an index by which no two rows have one key: rows are replaced by it.
func (t *target) examineKey(ctx context.Context, oid uint32) error {
	rows, err := t.conn.Query(ctx, `SELECT array_agg(a.attname::text) FROM pg_index i, unnest(i.indkey) k JOIN pg_attribute a ON a.attnum = k
		WHERE i.indrelid = $1 AND a.attrelid = $1 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid`, oid)
	if err != nil {
		return err
	}
	want := make([]string, len(t.cfg.Key))
	for i, k := range t.cfg.Key {
		want[i] = t.cfg.Cols[k].Name
	}
	slices.Sort(want)
	found := false
	var cols []string
	_, err = pgx.ForEachRow(rows, []any{&cols}, func() error {
		slices.Sort(cols)
		found = found || slices.Equal(cols, want)
		return nil
	})
	if err == nil && !found {
		err = t.misfit("it has no primary key or unique index of (" + t.keyList("") + ")")
	}
	return err
}

func (t *target) misfit(why string) *repr.Error {
	return repr.NewError(repr.CodeDatatypeMismatch, t.cfg.Run.Place+" does not fit the view: "+why).
		WithHint("Change the table, or name another one: one that is missing is made.")
}

// families are types that hold one another's values.
var families = [][]string{{"text", "character varying", "character", "name"}, {"smallint", "integer", "bigint", "numeric", "oid"},
	{"real", "double precision"}, {"json", "jsonb", "text"}}

func fits(view, table string) bool {
	return view == table || slices.ContainsFunc(families, func(f []string) bool { return slices.Contains(f, view) && slices.Contains(f, table) })
}

// passing are the errors, by SQLSTATE or its class, that a retry may mend: no connection, no resources, a stop, a conflict of
// transactions, and what a user may do, which may be put right there.
var passing = []string{"08", "28", "42501", "53", "57", "58", "40", "55P03"}

// hint says what to do about an error of the server: of a connection that is tried, or of a sink.
func (c *Config) hint(code string) string {
	what := map[string]string{"28P01": "Check USER and PASSWORD of the connection.", "28000": "Check USER of the connection, and pg_hba.conf of the server.",
		"3D000": "Check DATABASE of the connection."}[code]
	switch {
	case what != "" || c.Table == "":
		return what
	case code == "42501":
		return "GRANT the user of the connection what is missing."
	case code == "3F000":
		return "Make the schema there, or name another one."
	case code == "42P01":
		return "Drop the sink and create it anew to write the table from the beginning."
	}
	return "The server says so. When that is mended, or the view gives other rows, ALTER SINK … SET or RESET (COMMIT INTERVAL) has the sink go on."
}

// Explain puts an error into the words of a user, and says whether retrying is of no use.
func (t *target) Explain(err error) (e *repr.Error, fatal bool) {
	if errors.As(err, &e) {
		return e, true
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		e = &repr.Error{Code: answer.Code, Message: t.cfg.Run.Place + ": " + answer.Message, Detail: answer.Detail, Hint: answer.Hint}
		if e.Hint == "" {
			e.Hint = t.cfg.hint(answer.Code)
		}
		return e, !slices.ContainsFunc(passing, func(class string) bool { return strings.HasPrefix(answer.Code, class) })
	}
	if refused, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		cause := refused.Unwrap()
		return repr.NewError(repr.CodeCannotConnect, "cannot reach PostgreSQL at "+t.cfg.address()).WithDetail(cause.Error()).
			WithHint("Check that the server runs and listens there."), false
	}
	return repr.NewError(repr.CodeConnectionFailure, t.cfg.Run.Place+": "+err.Error()).WithHint("It is tried again."), false
}
