package pgwire

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"millrace/coord"
)

// Short names for the messages of the extended protocol.
func prepare(name, sql string, oids ...uint32) pgproto3.FrontendMessage {
	return &pgproto3.Parse{Name: name, Query: sql, ParameterOIDs: oids}
}

func bind(portal, name string, values ...string) pgproto3.FrontendMessage {
	m := &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: name}
	for _, v := range values {
		m.Parameters = append(m.Parameters, []byte(v))
	}
	return m
}

func execute(portal string, rows uint32) pgproto3.FrontendMessage {
	return &pgproto3.Execute{Portal: portal, MaxRows: rows}
}

func describe(kind byte, name string) pgproto3.FrontendMessage {
	return &pgproto3.Describe{ObjectType: kind, Name: name}
}

func closing(kind byte, name string) pgproto3.FrontendMessage {
	return &pgproto3.Close{ObjectType: kind, Name: name}
}

var (
	syncing  = &pgproto3.Sync{}
	flushing = &pgproto3.Flush{}
)

// round is one exchange up to ReadyForQuery.
type round struct {
	name string
	send []pgproto3.FrontendMessage
	want string
}

func (c *client) rounds(rounds []round) {
	c.t.Helper()
	for _, r := range rounds {
		if got := c.ask(r.send...); got != r.want {
			c.t.Errorf("%s\n  got  %s\n  want %s", r.name, got, r.want)
		}
	}
}

type messages = []pgproto3.FrontendMessage

func TestExtendedQuery(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	c.want(c.query("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL)"),
		"[CREATE TABLE] [INSERT 0 3] ready:I")
	c.rounds([]round{
		{"unnamed", messages{prepare("", "SELECT 1 AS a"), bind("", ""), describe('P', ""), execute("", 0), syncing},
			"parsecomplete bindcomplete cols(a:23:0) row(1) [SELECT 1] ready:I"},
		{"empty", messages{prepare("", ""), bind("", ""), describe('P', ""), execute("", 0), syncing},
			"parsecomplete bindcomplete nodata emptyqueryresponse ready:I"},
		{"two statements", messages{prepare("", "SELECT 1; SELECT 2"), bind("", ""), syncing}, "error:42601@0 ready:I"},
		{"declared type", messages{prepare("", "SELECT $1 AS a", 23), describe('S', ""), bind("", "", "7"), describe('P', ""), execute("", 0), syncing},
			"parsecomplete params[23] cols(a:23:0) bindcomplete cols(a:23:0) row(7) [SELECT 1] ready:I"},
		{"undeclared type", messages{prepare("", "SELECT $1 AS a", 0), describe('S', ""), bind("", "", "7"), execute("", 0), syncing},
			"parsecomplete params[25] cols(a:25:0) bindcomplete row(7) [SELECT 1] ready:I"},
		{"inferred type", messages{prepare("", "SELECT b FROM t WHERE a = $1"), describe('S', ""), bind("", "", "2"), execute("", 0), syncing},
			"parsecomplete params[23] cols(b:25:0) bindcomplete row(y) [SELECT 1] ready:I"},
		{"unknown type", messages{prepare("", "SELECT $1", 999999), syncing}, "error:42704@0 ready:I"},
		{"named, bound twice", messages{prepare("s", "SELECT b FROM t WHERE a = $1"), bind("", "s", "1"), execute("", 0), bind("", "s", "2"), execute("", 0), syncing},
			"parsecomplete bindcomplete row(x) [SELECT 1] bindcomplete row(y) [SELECT 1] ready:I"},
		{"named, used again", messages{bind("", "s", "1"), execute("", 0), syncing}, "bindcomplete row(x) [SELECT 1] ready:I"},
		{"name taken", messages{prepare("s", "SELECT 1"), syncing}, "error:42P05@0 ready:I"},
		{"seen by SQL", messages{&pgproto3.Query{String: "EXECUTE s(2)"}}, "cols(b:25:0) row(y) [SELECT 1] ready:I"},
		{"closed", messages{closing('S', "s"), closing('S', "never was"), bind("", "s", "1"), syncing},
			"closecomplete closecomplete error:26000@0 ready:I"},
		{"error with a position, then skipped to Sync", messages{prepare("", "SELECT nope FROM t"), bind("", ""), execute("", 0), prepare("", "SELECT 1"), syncing},
			"error:42703@8 ready:I"},
		{"a query is skipped too", messages{prepare("", "SELECT nope"), &pgproto3.Query{String: "SELECT 1"}, syncing}, "error:42703@8 ready:I"},
		{"too few parameters", messages{prepare("", "SELECT b FROM t WHERE a = $1"), bind("", ""), syncing}, "parsecomplete error:08P01@0 ready:I"},
		{"wrong text", messages{prepare("", "SELECT b FROM t WHERE a = $1"), bind("", "", "x"), syncing}, "parsecomplete error:22P02@0 ready:I"},
		{"text that is not UTF-8", messages{prepare("", "SELECT $1::text"), bind("", "", "\xff"), syncing}, "parsecomplete error:22021@0 ready:I"},
		{"text with a zero byte", messages{prepare("", "SELECT $1::text"), bind("", "", "a\x00b"), syncing}, "parsecomplete error:22021@0 ready:I"},
		{"no such portal", messages{describe('P', "p"), syncing, execute("p", 0), syncing}, "error:34000@0 ready:I"},
		{"", nil, "error:34000@0 ready:I"},
		{"NULL", messages{prepare("", "SELECT $1::int4 AS a"), &pgproto3.Bind{Parameters: [][]byte{nil}}, execute("", 0), syncing},
			"parsecomplete bindcomplete row(NULL) [SELECT 1] ready:I"},
		{"insert", messages{prepare("", "INSERT INTO t VALUES ($1, $2)"), describe('S', ""), bind("", "", "4", "z"), execute("", 0), syncing},
			"parsecomplete params[23,25] nodata bindcomplete [INSERT 0 1] ready:I"},
		{"returning", messages{prepare("", "DELETE FROM t WHERE a = $1 RETURNING b"), bind("", "", "4"), describe('P', ""), execute("", 0), syncing},
			"parsecomplete bindcomplete cols(b:25:0) row(z) [DELETE 1] ready:I"},
		{"an update runs once", messages{prepare("", "UPDATE t SET b = 'q' WHERE a = 1"), bind("", ""), execute("", 0), execute("", 0), syncing},
			"parsecomplete bindcomplete [UPDATE 1] error:55000@0 ready:I"},
		{"and the error took it back", messages{&pgproto3.Query{String: "SELECT b FROM t WHERE a = 1"}}, "cols(b:25:0) row(x) [SELECT 1] ready:I"},
	})
}

func TestBinaryParametersAndResults(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	c.rounds([]round{
		{"binary in and out", messages{prepare("", "SELECT $1::int4 + 1 AS a, $2::text AS b"),
			&pgproto3.Bind{ParameterFormatCodes: []int16{1, 0}, Parameters: [][]byte{{0, 0, 0, 41}, []byte("x")}, ResultFormatCodes: []int16{1, 0}},
			describe('P', ""), execute("", 0), syncing},
			`parsecomplete bindcomplete cols(a:23:1,b:25:0) row(\x00\x00\x00*,x) [SELECT 1] ready:I`},
		{"one format for all", messages{prepare("", "SELECT $1::int2 AS a, $2::bool AS b"),
			&pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 5}, {1}}, ResultFormatCodes: []int16{1}},
			execute("", 0), syncing},
			`parsecomplete bindcomplete row(\x00\x05,\x01) [SELECT 1] ready:I`},
		{"wrong length", messages{prepare("", "SELECT $1::int4"),
			&pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 5}}}, syncing}, "parsecomplete error:08P01@0 ready:I"},
		{"binary text that is not UTF-8", messages{prepare("", "SELECT $1::text"),
			&pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0xff}}}, syncing}, "parsecomplete error:22021@0 ready:I"},
		{"unknown format", messages{prepare("", "SELECT $1::int4"),
			&pgproto3.Bind{ParameterFormatCodes: []int16{7}, Parameters: [][]byte{{0, 5}}}, syncing}, "parsecomplete error:22023@0 ready:I"},
		{"unknown format of a result", messages{prepare("", "SELECT 1"), &pgproto3.Bind{ResultFormatCodes: []int16{7}}, syncing},
			"parsecomplete error:22023@0 ready:I"},
		{"too many formats", messages{prepare("", "SELECT $1::int4"),
			&pgproto3.Bind{ParameterFormatCodes: []int16{0, 0}, Parameters: [][]byte{{'5'}}}, syncing}, "parsecomplete error:08P01@0 ready:I"},
		{"too many formats of results", messages{prepare("", "SELECT 1"), &pgproto3.Bind{ResultFormatCodes: []int16{0, 0}}, syncing},
			"parsecomplete error:08P01@0 ready:I"},
	})
}

func TestPortals(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	const five = "SELECT n FROM generate_series(1, 5) AS g(n) ORDER BY n"
	c.rounds([]round{
		{"rows in parts", messages{prepare("", five), bind("", ""), execute("", 2), execute("", 2), execute("", 2), syncing},
			"parsecomplete bindcomplete row(1) row(2) portalsuspended row(3) row(4) portalsuspended row(5) [SELECT 1] ready:I"},
		{"the limit is the number of rows", messages{prepare("", five), bind("", ""), execute("", 5), execute("", 5), syncing},
			"parsecomplete bindcomplete row(1) row(2) row(3) row(4) row(5) portalsuspended [SELECT 0] ready:I"},
		{"after the end", messages{prepare("", five), bind("", ""), execute("", 9), execute("", 9), syncing},
			"parsecomplete bindcomplete row(1) row(2) row(3) row(4) row(5) [SELECT 5] [SELECT 0] ready:I"},
		{"outside a block no portal outlives Sync", messages{prepare("s", five), bind("p", "s"), execute("p", 1), syncing},
			"parsecomplete bindcomplete row(1) portalsuspended ready:I"},
		{"", messages{execute("p", 1), syncing}, "error:34000@0 ready:I"},
		{"inside it does", messages{&pgproto3.Query{String: "BEGIN"}}, "[BEGIN] ready:T"},
		{"", messages{bind("p", "s"), execute("p", 1), syncing}, "bindcomplete row(1) portalsuspended ready:T"},
		{"two at once", messages{bind("q", "s"), execute("q", 1), execute("p", 1), syncing},
			"bindcomplete row(1) portalsuspended row(2) portalsuspended ready:T"},
		{"a name taken", messages{bind("p", "s"), syncing}, "error:42P03@0 ready:E"},
		{"not after an error", messages{execute("q", 1), syncing}, "error:25P02@0 ready:E"},
		{"", messages{&pgproto3.Query{String: "ROLLBACK"}}, "[ROLLBACK] ready:I"},
		{"", messages{execute("q", 1), syncing}, "error:34000@0 ready:I"},
		{"closed", messages{bind("p", "s"), execute("p", 4), closing('P', "p"), execute("p", 4), syncing},
			"bindcomplete row(1) row(2) row(3) row(4) portalsuspended closecomplete error:34000@0 ready:I"},
	})
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	c.want(c.query("CREATE TABLE t (a int)"), "[CREATE TABLE] ready:I")
	count := messages{&pgproto3.Query{String: "SELECT count(*) AS n FROM t"}}
	c.rounds([]round{
		{"statements up to Sync are one transaction",
			messages{prepare("i", "INSERT INTO t VALUES ($1)"), bind("", "i", "1"), execute("", 0), bind("", "i", "2"), execute("", 0), syncing},
			"parsecomplete bindcomplete [INSERT 0 1] bindcomplete [INSERT 0 1] ready:I"},
		{"", count, "cols(n:20:0) row(2) [SELECT 1] ready:I"},
		{"an error takes all back",
			messages{bind("", "i", "3"), execute("", 0), prepare("", "SELECT 1/$1::int4"), bind("", "", "0"), execute("", 0), bind("", "i", "4"), execute("", 0), syncing},
			"bindcomplete [INSERT 0 1] parsecomplete bindcomplete error:22012@0 ready:I"},
		{"", count, "cols(n:20:0) row(2) [SELECT 1] ready:I"},
		{"a body out of form takes all back",
			messages{bind("", "i", "3"), execute("", 0), &pgproto3.FunctionCall{}, syncing},
			"bindcomplete [INSERT 0 1] error:0A000@0 ready:I"},
		{"", nil, "ready:I"},
		{"", count, "cols(n:20:0) row(2) [SELECT 1] ready:I"},
		{"BEGIN and COMMIT inside", messages{prepare("b", "BEGIN"), prepare("c", "COMMIT"), bind("", "b"), execute("", 0), bind("", "i", "5"), execute("", 0),
			bind("", "c"), execute("", 0), bind("", "i", "6"), execute("", 0), syncing},
			"parsecomplete parsecomplete bindcomplete [BEGIN] bindcomplete [INSERT 0 1] bindcomplete [COMMIT] bindcomplete [INSERT 0 1] ready:I"},
		{"", count, "cols(n:20:0) row(4) [SELECT 1] ready:I"},
		{"BEGIN stays open behind Sync", messages{bind("", "b"), execute("", 0), syncing}, "bindcomplete [BEGIN] ready:T"},
		{"", messages{bind("", "i", "7"), execute("", 0), syncing}, "bindcomplete [INSERT 0 1] ready:T"},
		{"", messages{&pgproto3.Query{String: "ROLLBACK"}}, "[ROLLBACK] ready:I"},
		{"", count, "cols(n:20:0) row(4) [SELECT 1] ready:I"},
	})
	var many messages
	want := ""
	for i := range 500 {
		many = append(many, bind("", "i", fmt.Sprint(i)), execute("", 0))
		want += "bindcomplete [INSERT 0 1] "
	}
	c.rounds([]round{{"a long one", append(many, syncing), want + "ready:I"},
		{"", count, "cols(n:20:0) row(504) [SELECT 1] ready:I"}})
}

// A client that sends Flush instead of Sync gets what there is, an error included.
func TestFlush(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	for _, m := range []pgproto3.FrontendMessage{prepare("", "SELECT 1 AS a"), bind("", ""), execute("", 0), flushing} {
		c.f.Send(m)
	}
	c.flush()
	for _, want := range []string{"parsecomplete", "bindcomplete", "row(1)", "[SELECT 1]"} {
		m, err := c.f.Receive()
		if err != nil || c.note(m) != want {
			t.Fatalf("got %T, %v, want %s", m, err, want)
		}
	}
	c.f.Send(prepare("", "SELECT nope"))
	c.f.Send(flushing)
	c.flush()
	if m, err := c.f.Receive(); err != nil || c.note(m) != "error:42703@8" {
		t.Fatalf("got %T, %v", m, err)
	}
	c.want(c.ask(syncing), "ready:I")
}

// What a prepared statement returns may change with the catalog: the client is told, not misled.
func TestResultTypeChanges(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	c.want(c.query("CREATE TABLE t (a int)"), "[CREATE TABLE] ready:I")
	c.want(c.ask(prepare("s", "SELECT * FROM t"), syncing), "parsecomplete ready:I")
	c.want(c.query("DROP TABLE t"), "[DROP TABLE] ready:I")
	c.want(c.ask(bind("", "s"), execute("", 0), syncing), "bindcomplete error:42P01@15 ready:I")
	c.want(c.query("CREATE TABLE t (a int, b text, c text)"), "[CREATE TABLE] ready:I")
	c.want(c.ask(&pgproto3.Bind{PreparedStatement: "s", ResultFormatCodes: []int16{1}}, execute("", 0), syncing),
		"bindcomplete error:0A000@0 ready:I")
}

func TestCopyOut(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	c.want(c.query("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, E'x\\ty\\\\\\n'), (2, NULL), (3, 'say \"hi\", you'), (4, '')"),
		"[CREATE TABLE] [INSERT 0 4] ready:I")
	const sorted = "(SELECT * FROM t ORDER BY a)"
	for _, step := range []struct{ sql, want string }{
		{"COPY " + sorted + " TO STDOUT",
			`copy:0:2 data(1\tx\\ty\\\\\\n\n) data(2\t\\N\n) data(3\tsay "hi", you\n) data(4\t\n) copydone [COPY 4] ready:I`},
		{"COPY " + sorted + " TO STDOUT (FORMAT csv, HEADER)",
			`copy:0:2 data(a,b\n) data(1,"x\ty\\\n"\n) data(2,\n) data(3,"say ""hi"", you"\n) data(4,""\n) copydone [COPY 4] ready:I`},
		{"COPY (SELECT 1, 'x') TO STDOUT (FORMAT binary)",
			`copy:1:2 data(PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00) data(\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x01x) data(\xff\xff) copydone [COPY 1] ready:I`},
		{"COPY (SELECT 1/a FROM t WHERE a < 0) TO STDOUT", "copy:0:1 copydone [COPY 0] ready:I"},
		{"COPY t (b) TO STDOUT (NULL '-', DELIMITER '|')", ""},
		{"COPY nope TO STDOUT", "error:42P01@6 ready:I"},
		{"COPY t TO '/tmp/x'", "error:42501@1 ready:I"},
	} {
		got := normal(c.query(step.sql))
		if step.want != "" && got != normal(step.want) {
			t.Errorf("%s\n  got  %s\n  want %s", step.sql, got, step.want)
		}
	}
	c.want(c.ask(prepare("", "COPY (SELECT 1) TO STDOUT"), describe('S', ""), bind("", ""), describe('P', ""), execute("", 0), syncing),
		`parsecomplete params[] nodata bindcomplete nodata copy:0:1 data(1\n) copydone [COPY 1] ready:I`)
}

// normal undoes the quoting of quotes by %q.
func normal(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && s[i+1] == '"' {
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}
