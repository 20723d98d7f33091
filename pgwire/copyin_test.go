package pgwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"millrace/coord"
	"millrace/internal/golden"
	"millrace/internal/pgask"
)

// copyTables are what the cases of testdata/copyin copy to.
const copyTables = `CREATE TABLE t (a int, b text, n numeric(5,2)); CREATE TABLE one (x text); CREATE TABLE must (a int NOT NULL, b text DEFAULT 'd', c varchar(3));
	CREATE VIEW v AS SELECT a FROM t; CREATE TABLE many (i int8, f float8, o bool, s timestamptz, j jsonb, y bytea, l int[], k interval, u uuid)`

// copyTableNames are those whose content is shown.
var copyTableNames = []string{"t", "one", "must", "many"}

// pieces is data that comes in pieces of some length.
type pieces struct {
	data string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.data == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}

// copyOutcome is what a COPY answers and what the tables hold then. They are emptied.
func copyOutcome(t *testing.T, c *pgconn.PgConn, input string, size int) string {
	t.Helper()
	statement, quoted, _ := strings.Cut(input, "\n")
	var data strings.Builder
	for _, line := range strings.Split(quoted, "\n") {
		text, err := strconv.Unquote("\"" + line + "\"")
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		data.WriteString(text)
	}
	var out strings.Builder
	tag, err := c.CopyFrom(t.Context(), &pieces{data.String(), size}, statement)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		fmt.Fprintf(&out, "ERROR %s: %s\n", pg.Code, pg.Message)
		if pg.Hint != "" && pg.Code[0] == '2' {
			fmt.Fprintf(&out, "HINT: %s\n", pg.Hint)
		}
		if pg.Where != "" { // what the type has to say of it is not ours
			where := pg.Where[strings.LastIndex(pg.Where, "\nCOPY ")+1:]
			fmt.Fprintf(&out, "CONTEXT: %s\n", where)
		}
	case err != nil:
		t.Fatalf("%s: %v", statement, err)
	default:
		fmt.Fprintln(&out, tag)
	}
	for _, name := range copyTableNames {
		if _, err := c.CopyTo(t.Context(), &out, "COPY (SELECT * FROM "+name+" ORDER BY 1) TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "DELETE FROM "+name).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// TestCopyIn holds COPY … FROM STDIN to what PostgreSQL says, in whatever pieces the data comes.
func TestCopyIn(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.connect("").PgConn()
	if pgask.Asking() {
		conn, err := pgx.Connect(t.Context(), os.Getenv("MILLRACE_POSTGRES"))
		if err != nil {
			t.Fatal(err)
		}
		c = conn.PgConn()
		if _, err := c.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Exec(t.Context(), copyTables).ReadAll(); err != nil {
		t.Fatal(err)
	}
	golden.Run(t, "testdata/copyin", func(t *testing.T, k golden.Case) string {
		want := copyOutcome(t, c, k.Input, 1<<20)
		for _, size := range []int{1, 3} {
			if got := copyOutcome(t, c, k.Input, size); got != want {
				t.Errorf("in pieces of %d bytes:\n%swant\n%s", size, got, want)
			}
		}
		return want
	})
}

// TestCopyInByDriver: what drivers send, in binary, with every type, comes out again as it went in.
func TestCopyInByDriver(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.connect("")
	if _, err := c.Exec(t.Context(), "CREATE TABLE t (id int8 NOT NULL, name text, at float8, tags text[], more jsonb)"); err != nil {
		t.Fatal(err)
	}
	const rows = 5000
	n, err := c.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"name", "id", "at", "tags"}, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		var name any = fmt.Sprint("row ", i)
		if i%7 == 0 {
			name = nil
		}
		return []any{name, int64(i), float64(i) / 2, []string{"a", fmt.Sprint(i)}}, nil
	}))
	if err != nil || n != rows {
		t.Fatalf("%d rows, %v", n, err)
	}
	var count, nulls, sum int64
	err = c.QueryRow(t.Context(), "SELECT count(*), sum(CASE WHEN name IS NULL THEN 1 ELSE 0 END), sum(id + tags[2]::int8) FROM t WHERE more IS NULL").Scan(&count, &nulls, &sum)
	if err != nil || count != rows || nulls != 715 || sum != rows*(rows-1) {
		t.Errorf("%d rows, %d nulls, sum %d, %v", count, nulls, sum, err)
	}
}

// TestCopyInTransaction: the rows of a COPY are the transaction's, and nothing of them is left when that fails or the client
// gives up.
func TestCopyInTransaction(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	conn, other := h.connect(""), h.connect("")
	c := conn.PgConn()
	must := func(sql string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want int) {
		t.Helper()
		var n int
		if err := other.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != want {
			t.Errorf("%d rows are seen, want %d (%v)", n, want, err)
		}
	}
	give := func(data string) error {
		_, err := c.CopyFrom(t.Context(), strings.NewReader(data), "COPY t FROM STDIN")
		return err
	}
	must("CREATE TABLE t (a int)")
	must("BEGIN")
	if err := give("1\n2\n"); err != nil {
		t.Fatal(err)
	}
	count(0)
	must("COMMIT")
	count(2)
	must("BEGIN")
	if err := give("3\nx\n"); err == nil {
		t.Error("what is no number was taken")
	}
	must("ROLLBACK")
	count(2)
	_, err := c.CopyFrom(t.Context(), io.MultiReader(strings.NewReader("4\n5\n"), failing{}), "COPY t FROM STDIN")
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "57014" || !strings.HasPrefix(pg.Message, "COPY from stdin failed: ") {
		t.Errorf("the client gave up: %v", err)
	}
	count(2)
	ctx, cancel := context.WithCancel(t.Context())
	slow := &stalling{cancel: cancel}
	if _, err := c.CopyFrom(ctx, slow, "COPY t FROM STDIN"); err == nil {
		t.Error("a COPY that was cancelled has ended")
	}
	count(2)
}

// failing is a file that cannot be read.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the file cannot be read") }

// stalling gives a row, and then cancels what reads it.
type stalling struct {
	cancel func()
	given  bool
}

func (s *stalling) Read(b []byte) (int, error) {
	if s.given {
		s.cancel()
		select {}
	}
	s.given = true
	return copy(b, "6\n"), nil
}

// TestCopyInConversation has the messages of a COPY in both protocols, and what is out of place among them.
func TestCopyInConversation(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.open(nil)
	c.query("CREATE TABLE t (a int)")
	copyT := &pgproto3.Query{String: "COPY t FROM STDIN; SELECT 1"}
	row := func(text string) *pgproto3.CopyData { return &pgproto3.CopyData{Data: []byte(text)} }
	c.want(c.ask(copyT, row("1\n"), row("2"), row("\n"), &pgproto3.CopyDone{}),
		"copyinresponse [COPY 2] cols(?column?:23:0) row(1) [SELECT 1] ready:I")
	c.want(c.ask(copyT, row("x\n"), row("3\n"), &pgproto3.CopyDone{}), "copyinresponse error:22P02@0 ready:I")
	c.want(c.ask(copyT, row("4\n"), &pgproto3.Query{String: "SELECT 1"}), "copyinresponse error:08P01@0 ready:I")
	c.want(c.query("SELECT a FROM t ORDER BY a"), "cols(a:23:0) row(1) row(2) [SELECT 2] ready:I")
	c.want(c.ask(&pgproto3.Parse{Query: "COPY t FROM STDIN"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{},
		row("5\n"), &pgproto3.CopyDone{}, &pgproto3.Sync{}), "parsecomplete bindcomplete nodata copyinresponse [COPY 1] ready:I")
	c.want(c.query("SELECT a FROM t ORDER BY a"), "cols(a:23:0) row(1) row(2) row(5) [SELECT 3] ready:I")
}
