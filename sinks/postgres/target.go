package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"millrace/repr"
	"millrace/sinks"
)

// target is the table.
type target struct {
	cfg  Config
	conn *pgx.Conn
	sql  statements

	counted bool // the ledger has a count of what was written
}

func (t *target) connect(ctx context.Context) error {
	cfg, err := t.cfg.connection()
	if err != nil {
		return err
	}
	t.conn, err = pgx.ConnectConfig(ctx, cfg)
	return err
}

// Open connects, makes the tables that are missing, and reads the sink's progress.
func (t *target) Open(ctx context.Context) (sinks.Progress, error) {
	if err := t.connect(ctx); err != nil {
		return sinks.Progress{}, err
	}
	if err := t.prepare(ctx); err != nil {
		return sinks.Progress{}, err
	}
	return t.progress(ctx, t.conn)
}

// Close gives the connection up.
func (t *target) Close(ctx context.Context) {
	if t.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := t.conn.Close(ctx); err != nil {
		t.cfg.Run.Log.Debug("connection was not closed in order", "place", t.cfg.Run.Place, "err", err)
	}
	t.conn = nil
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (t *target) progress(ctx context.Context, q querier) (sinks.Progress, error) {
	var at int64
	p := sinks.Progress{Known: true}
	count := "0::bigint"
	if t.counted {
		count = "records"
	}
	err := q.QueryRow(ctx, "SELECT upto, writer, "+count+" FROM "+t.cfg.ledger()+" WHERE sink = $1", t.cfg.Name).Scan(&at, &p.Writer, &p.Records)
	if errors.Is(err, pgx.ErrNoRows) {
		return sinks.Progress{}, nil
	}
	p.Time = repr.Time(at)
	return p, err
}

// prepare makes what is missing, in one transaction: the tables, the sink's row of progress, and what rows are copied into.
func (t *target) prepare(ctx context.Context) error {
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // nothing happens when it was committed
	if err := t.prepareIn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// rehearse tries whether all that the sink needs can be made, and makes nothing.
func (t *target) rehearse(ctx context.Context) error {
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // it goes with the connection if not so
	return t.prepareIn(ctx, tx)
}

func (t *target) prepareIn(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SET LOCAL client_min_messages = warning"); err != nil {
		return err
	}
	// Two sinks that make the same table of progress at once would fail on one another.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7216351)"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+t.cfg.ledger()+
		" (sink text PRIMARY KEY, place text NOT NULL, upto bigint NOT NULL, writer text NOT NULL, records bigint NOT NULL DEFAULT 0)"); err != nil {
		return err
	}
	if err := t.widenLedger(ctx, tx); err != nil {
		return err
	}
	there, err := t.examine(ctx)
	if err != nil {
		return err
	}
	known, err := t.progress(ctx, tx)
	switch {
	case err != nil:
		return err
	case !there && known.Time > 0:
		return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("%s is gone", t.cfg.Run.Place)).
			WithDetail(fmt.Sprintf("The sink had written to it up to time %d.", known.Time)).
			WithHint("Drop the sink and create it anew to write the table from the beginning.")
	case !there:
		_, err = tx.Exec(ctx, t.create())
	case !known.Known:
		err = t.refuseRows(ctx, tx)
	}
	if err != nil {
		return err
	}
	if !known.Known {
		if _, err = tx.Exec(ctx, "INSERT INTO "+t.cfg.ledger()+" VALUES ($1, $2, 0, $3)", t.cfg.Name, t.cfg.table(), t.cfg.Run.Writer); err != nil {
			return err
		}
	}
	t.sql = t.statements()
	for _, make := range t.sql.temporary {
		if _, err := tx.Exec(ctx, make); err != nil {
			return err
		}
	}
	return nil
}

// widenLedger adds the count of what was written to a ledger that an earlier server made, unless it is somebody else's. It is looked at
// first, for to change a table waits for all who use it.
func (t *target) widenLedger(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'records' AND NOT attisdropped)",
		t.cfg.ledger()).Scan(&t.counted)
	if err != nil || t.counted {
		return err
	}
	part, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = part.Exec(ctx, "ALTER TABLE "+t.cfg.ledger()+" ADD COLUMN records bigint NOT NULL DEFAULT 0")
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == repr.CodeInsufficientPrivilege {
		return part.Rollback(ctx)
	}
	if err != nil {
		return err
	}
	t.counted = true
	return part.Commit(ctx)
}

// refuseRows refuses a table that holds rows of others: the sink makes the table equal to the view.
func (t *target) refuseRows(ctx context.Context, q querier) error {
	var some bool
	if err := q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+t.cfg.table()+")").Scan(&some); err != nil || !some {
		return err
	}
	e := repr.NewError(repr.CodeObjectNotReady, t.cfg.Run.Place+" has rows already")
	var other string
	err := q.QueryRow(ctx, "SELECT sink FROM "+t.cfg.ledger()+" WHERE place = $1 AND upto > 0 ORDER BY upto DESC LIMIT 1", t.cfg.table()).Scan(&other)
	if errors.Is(err, pgx.ErrNoRows) {
		return e.WithDetail("The sink makes the table equal to its view, so these rows would go.").WithHint("Name another table, or empty this one.")
	}
	if err != nil {
		return err
	}
	return e.WithDetail("The sink " + other + " has written it: one of this server that was dropped, or one of another server, such as that of a dump.").
		WithHint("When that sink is no more, empty the table: TRUNCATE " + t.cfg.table() + ". Name another table otherwise.")
}

// create is the statement that makes the table. A key that may hold NULL is unique as a primary key is, NULLs counted as equal.
func (t *target) create() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", t.cfg.table())
	for _, c := range t.cfg.Cols {
		fmt.Fprintf(&b, "%s %s", quoted(c.Name), c.Type)
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
		b.WriteString(", ")
	}
	kind := "PRIMARY KEY"
	if t.nullable() {
		kind = "UNIQUE NULLS NOT DISTINCT"
	}
	fmt.Fprintf(&b, "%s (%s))", kind, t.keyList(""))
	return b.String()
}

// nullable says whether a column of the key may be NULL.
func (t *target) nullable() bool {
	for _, k := range t.cfg.Key {
		if !t.cfg.Cols[k].NotNull {
			return true
		}
	}
	return false
}

// keyList are the columns of the key, each behind a prefix.
func (t *target) keyList(prefix string) string {
	names := make([]string, len(t.cfg.Key))
	for i, k := range t.cfg.Key {
		names[i] = prefix + quoted(t.cfg.Cols[k].Name)
	}
	return strings.Join(names, ", ")
}

// Write commits a group in one transaction.
func (t *target) Write(ctx context.Context, g sinks.Group) (int64, error) {
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(ctx) }() // nothing happens when it was committed
	moved, err := tx.Exec(ctx, "UPDATE "+t.cfg.ledger()+" SET upto = $1, writer = $2 WHERE sink = $3 AND upto = $4",
		int64(g.To), t.cfg.Run.Writer, t.cfg.Name, int64(g.From.Time))
	if err != nil {
		return 0, err
	}
	if moved.RowsAffected() != 1 {
		return 0, sinks.Taken(t.cfg.Run.Place)
	}
	records, err := t.apply(ctx, tx, g)
	if err == nil && t.counted && records > 0 {
		_, err = tx.Exec(ctx, "UPDATE "+t.cfg.ledger()+" SET records = records + $1 WHERE sink = $2", records, t.cfg.Name)
	}
	if err != nil {
		return 0, err
	}
	return records, tx.Commit(ctx)
}

// apply makes the changes of a group.
func (t *target) apply(ctx context.Context, tx pgx.Tx, g sinks.Group) (int64, error) {
	folded := sinks.Fold(g.Ticks, t.cfg.Key)
	rows, gone := t.copyText(folded)
	var records int64
	run := func(list []string) error {
		for _, sql := range list {
			done, err := tx.Exec(ctx, sql)
			if err != nil {
				return err
			}
			records += done.RowsAffected()
		}
		return nil
	}
	for _, part := range []struct {
		text []byte
		copy string
		then []string
		even bool // when there is nothing to copy, too
	}{
		{gone.text, t.sql.copyGone, t.sql.delete, false},
		{rows.text, t.sql.copyRows, t.sql.upsertIn(g.Whole), g.Whole},
	} {
		if len(part.text) == 0 && !part.even {
			continue
		}
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, strings.NewReader(string(part.text)), part.copy); err != nil {
			return 0, err
		}
		if err := run(part.then); err != nil {
			return 0, err
		}
	}
	return records, nil
}
