package coord

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/golden"
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// client is a session as a test drives it: texts in, texts out, as psql shows them.
type client struct {
	t testing.TB
	s *Session

	notices []Notice
	params  []string // reported settings that changed
}

// start runs a coordinator for the time of a test.
func start(t *testing.T, opts Options) *Coordinator {
	t.Helper()
	c := New(opts)
	t.Cleanup(c.Close)
	return c
}

// quiet are options under which ticks come from writes alone.
func quiet() Options { return Options{TickInterval: time.Hour} }

// connect opens a session for the time of a test.
func connect(t testing.TB, c *Coordinator) *client {
	t.Helper()
	cl := &client{t: t}
	s, err := c.NewSession(SessionOptions{User: DefaultUser, Database: DefaultDatabase,
		OnNotice: func(n Notice) { cl.notices = append(cl.notices, n) },
		OnParam:  func(name, value string) { cl.params = append(cl.params, name+"="+value) }})
	if err != nil {
		t.Fatal(err)
	}
	cl.s = s
	t.Cleanup(s.Close)
	return cl
}

// run runs the statements of a text as a simple query does and gives the rows of the last of them.
func (cl *client) run(ctx context.Context, text string) ([]string, *repr.Error) {
	var rows []string
	err := cl.each(ctx, text, func(res *Result) *repr.Error {
		var err *repr.Error
		rows, err = cl.drain(ctx, res)
		return err
	})
	return rows, err
}

// each runs the statements of a text and gives their results.
func (cl *client) each(ctx context.Context, text string, answer func(*Result) *repr.Error) (err *repr.Error) {
	stmts, err := cl.s.Split(text)
	if err != nil {
		cl.s.Fail()
		return err
	}
	if len(stmts) > 1 {
		cl.s.BeginImplicit()
		defer func() {
			if e := cl.s.EndImplicit(ctx); err == nil {
				err = e
			}
		}()
	}
	for _, st := range stmts {
		var res *Result
		p, err := cl.s.Prepare(ctx, st, nil)
		if err == nil {
			res, err = cl.s.Execute(ctx, p, nil)
		}
		if err == nil {
			err = answer(res)
		}
		if err != nil {
			cl.s.Fail()
			return err
		}
	}
	return nil
}

// drain takes all rows of a result as text.
func (cl *client) drain(ctx context.Context, res *Result) ([]string, *repr.Error) {
	if res.Rows == nil {
		return nil, nil
	}
	defer res.Rows.Close()
	var out []string
	for {
		row, ok, err := res.Rows.Next(ctx)
		if err != nil || !ok {
			return out, err
		}
		out = append(out, cl.text(res.Cols, row))
	}
}

// text prints a row, its columns parted by bars.
func (cl *client) text(cols repr.RowDesc, row []byte) string {
	var parts []string
	datums := repr.DecodeRow(nil, row)
	if len(datums) != len(cols) {
		cl.t.Errorf("row of %d columns, described are %d", len(datums), len(cols))
		return ""
	}
	for i, d := range datums {
		if d.IsNull() {
			parts = append(parts, "∅")
			continue
		}
		parts = append(parts, string(pgfmt.AppendText(nil, cols[i].Type, d, cl.s.TextOptions())))
	}
	return strings.Join(parts, "|")
}

// must runs statements that have to succeed.
func (cl *client) must(text string) []string {
	cl.t.Helper()
	rows, err := cl.run(context.Background(), text)
	if err != nil {
		cl.t.Fatalf("%s: %v", text, err)
	}
	return rows
}

// fails runs statements that have to end with an error of the SQLSTATE.
func (cl *client) fails(code, text string) *repr.Error {
	cl.t.Helper()
	_, err := cl.run(context.Background(), text)
	if err == nil || err.Code != code {
		cl.t.Fatalf("%s: got %+v, want the error %s", text, err, code)
	}
	return err
}

// one runs a query of one row with one column.
func (cl *client) one(text string) string {
	cl.t.Helper()
	rows := cl.must(text)
	if len(rows) != 1 {
		cl.t.Fatalf("%s: %d rows", text, len(rows))
	}
	return rows[0]
}

// leapClock does not wait: it leaps, ten milliseconds or what was asked for, so that no two ticks are neighbours. What
// would take a minute never comes.
type leapClock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *leapClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *leapClock) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	if d < time.Minute {
		c.mu.Lock()
		defer c.mu.Unlock()
		if d > 0 {
			c.now = c.now.Add(max(d, 10*time.Millisecond))
		}
		ch <- c.now
	}
	return ch
}

func (c *leapClock) Sleep(ctx context.Context, d time.Duration) error {
	<-c.After(d)
	return ctx.Err()
}

// TestSQL runs the scripts of testdata/sql. A case is "sql", with session=x for a session other than the first; the
// input are the statements of one simple query, the answer is what the client sees.
func TestSQL(t *testing.T) {
	t.Parallel()
	golden.RunDir(t, "testdata/sql", func(t *testing.T) func(*testing.T, golden.Case) string {
		opts := quiet()
		opts.Clock = &leapClock{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
		c := start(t, opts)
		clients := map[string]*client{}
		var m masks
		return func(t *testing.T, gc golden.Case) string {
			name := gc.Value("session", "main")
			cl := clients[name]
			if cl == nil {
				cl = connect(t, c)
				clients[name] = cl
			}
			cl.t = t
			return m.mask(cl.transcript(gc.Input))
		}
	})
}

// transcript is what a client sees of a simple query.
func (cl *client) transcript(text string) string {
	var b strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	flush := func() {
		for _, n := range cl.notices {
			fmt.Fprintf(&b, "%s %s: %s\n", n.Severity, n.Code, n.Message)
			aside(&b, n.Detail, n.Hint)
		}
		for _, p := range cl.params {
			fmt.Fprintf(&b, "PARAMETER %s\n", p)
		}
		cl.notices, cl.params = nil, nil
	}
	err := cl.each(ctx, text, func(res *Result) *repr.Error {
		flush()
		if res.Cols != nil {
			var names []string
			for _, c := range res.Cols {
				names = append(names, c.Name)
			}
			fmt.Fprintf(&b, "[%s]\n", strings.Join(names, "|"))
		}
		rows, err := cl.drain(ctx, res)
		for _, r := range rows {
			fmt.Fprintln(&b, r)
		}
		if err == nil {
			fmt.Fprintln(&b, res.Tag)
		}
		return err
	})
	flush()
	if err != nil {
		fmt.Fprintf(&b, "ERROR %s: %s\n", err.Code, err.Message)
		aside(&b, err.Detail, err.Hint)
		if err.Position > 0 {
			fmt.Fprintf(&b, "  AT %d\n", err.Position)
		}
	}
	if st := cl.s.TxStatus(); st != 'I' {
		fmt.Fprintf(&b, "(%c)\n", st)
	}
	return b.String()
}

func aside(b *strings.Builder, detail, hint string) {
	for _, l := range []struct{ label, text string }{{"DETAIL", detail}, {"HINT", hint}} {
		if l.text != "" {
			fmt.Fprintf(b, "  %s: %s\n", l.label, strings.ReplaceAll(l.text, "\n", "\n    "))
		}
	}
}

// masks replaces what differs from run to run: times become t1, t2 … in the order in which they are first seen.
type masks struct{ times []string }

var (
	timePattern = regexp.MustCompile(`\b[0-9]{13}\b`)
	costPattern = regexp.MustCompile(`in [0-9.]+ s, [0-9.]+ (B|kB|MB)`)
)

func (m *masks) mask(text string) string {
	text = costPattern.ReplaceAllString(text, "in … s, … kB")
	return timePattern.ReplaceAllStringFunc(text, func(at string) string {
		for i, seen := range m.times {
			if seen == at {
				return fmt.Sprintf("t%d", i+1)
			}
		}
		m.times = append(m.times, at)
		return fmt.Sprintf("t%d", len(m.times))
	})
}
