package webhook

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sources"
)

// TestBodies: what each format makes of a body, and what an error names.
func TestBodies(t *testing.T) {
	t.Parallel()
	headers := map[string]string{"x-kind": "order", "accept": "*/*"}
	for _, test := range []struct {
		cfg  Config
		body string
		want string // rows, or the error
	}{
		{Config{}, `{"b": 1, "a": [1, 2]}`, `{"a": [1, 2], "b": 1}`},
		{Config{}, "{\n \"a\":\n 1}\n", `{"a": 1}`},
		{Config{}, "1\n\n\"x\"\r\nnull\n", "1\n\"x\"\nnull"},
		{Config{}, "", "22P02 the body is empty"},
		{Config{}, " \n ", "22P02 the body is empty"},
		{Config{}, "{", "22P02 invalid input syntax for type json"},
		{Config{}, "1\n{\n3\n]\n", "22P02 lines 2, 4: invalid input syntax for type json"},
		{Config{}, "1\nx", "22P02 line 2: invalid input syntax for type json"},
		{Config{}, strings.Repeat("1\n[\n", 12), "22P02 lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 2 more: invalid input syntax for type json"},
		{Config{Format: FormatJSONArray}, `[1, {"a": [2]}, "x"]`, "1\n{\"a\": [2]}\n\"x\""},
		{Config{Format: FormatJSONArray}, `[]`, ""},
		{Config{Format: FormatJSONArray}, `{}`, "22P02 the body is no JSON array"},
		{Config{Format: FormatJSONArray}, `[1`, "22P02 invalid input syntax for type json"},
		{Config{Format: FormatText}, "a\nb", "a\nb"},
		{Config{Format: FormatText}, "", ""},
		{Config{Format: FormatText}, "a\xff", `22021 invalid byte sequence for encoding "UTF8": 0xff`},
		{Config{Format: FormatBytes}, "a\x00", `\x6100`},
		{Config{Format: FormatText, Headers: true}, "x", `x|{"accept": "*/*", "x-kind": "order"}`},
		{Config{Format: FormatText, Headers: true, Without: []string{"accept"}}, "x", `x|{"x-kind": "order"}`},
		{Config{Format: FormatText, Headers: true, Only: []string{"accept", "none"}}, "x", `x|{"accept": "*/*"}`},
		{Config{Format: FormatText, Include: []Header{{Name: "x-kind", As: "k"}, {Name: "none", As: "n"}, {Name: "accept", As: "a", Bytes: true}}}, "x", `x|order|NULL|\x2a2f2a`},
	} {
		s := New(test.cfg)
		cols, _, _ := s.Describe(t.Context())
		rows, err := s.Rows(headers, []byte(test.body))
		got := shown(cols, rows)
		if err != nil {
			got = err.Code + " " + err.Message
		}
		if got != test.want {
			t.Errorf("%+v of %q: %q, want %q", test.cfg, test.body, got, test.want)
		}
	}
	s := New(Config{Headers: true})
	if _, err := s.Rows(map[string]string{"x": "\xff"}, []byte("1")); err == nil || !strings.Contains(err.Message, `header "x"`) {
		t.Errorf("a header that is no text: %v", err)
	}
}

func shown(cols repr.RowDesc, rows []sources.Update) string {
	var lines []string
	for _, u := range rows {
		var values []string
		for i, d := range repr.DecodeRow(nil, u.Row) {
			if d.IsNull() {
				values = append(values, "NULL")
				continue
			}
			values = append(values, string(pgfmt.AppendText(nil, cols[i].Type, d, nil)))
		}
		lines = append(lines, strings.Join(values, "|"))
	}
	return strings.Join(lines, "\n")
}

// ticks takes batches and makes them durable when it is told to.
type ticks struct {
	s    *Source
	next int64
	hold chan struct{} // Push waits for it; nil: not
}

func (*ticks) Report(sources.State) {}

func (k *ticks) Push(ctx context.Context, b *sources.Batch) error {
	if k.hold != nil {
		select {
		case <-k.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.next = b.Progress[0].Next
	return nil
}

// TestAnswers: a request is answered when its rows are durable, is refused when there is no room, and hears when the source stops.
func TestAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{MostBytes: 100})
		rows := func(n int) []sources.Update {
			return []sources.Update{{Row: make([]byte, n), Diff: 1}}
		}
		if err := s.Take(t.Context(), rows(1)); err == nil || err.Code != repr.CodeObjectNotReady {
			t.Errorf("before it runs: %v", err)
		}
		k := &ticks{s: s}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			_ = s.Run(ctx, map[int32]int64{0: 7}, k) // it ends with ctx
			close(ended)
		}()
		synctest.Wait()
		answers := make(chan string, 3)
		take := func(n int) {
			go func() {
				err := s.Take(t.Context(), rows(n))
				if err != nil {
					answers <- err.Code
					return
				}
				answers <- "ok"
			}()
			synctest.Wait()
		}
		take(200) // more than may wait, but nothing does
		if k.next != 8 || len(answers) != 0 {
			t.Errorf("at %d, %d answers", k.next, len(answers))
		}
		take(1)
		if got := <-answers; got != ErrBusy.Code {
			t.Errorf("without room: %s", got)
		}
		s.Durable(0, 7)
		synctest.Wait()
		if len(answers) != 0 {
			t.Error("answered before it was durable")
		}
		s.Durable(0, 8)
		if got := <-answers; got != "ok" {
			t.Error(got)
		}
		take(60)
		take(40)
		s.Durable(0, 10)
		for range 2 {
			if got := <-answers; got != "ok" {
				t.Error(got)
			}
		}
		take(5)
		cancel()
		<-ended
		if got := <-answers; got != repr.CodeObjectNotReady {
			t.Errorf("stopped meanwhile: %s", got)
		}
		if err := s.Take(t.Context(), nil); err == nil {
			t.Error("it does not run any more")
		}
	})
}

// FuzzBodies holds that no body breaks anything, and that a row comes of each line of a body of lines.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{`{"a": 1}`, "1\n2\n", "[1, [2]]", "\"\xff", "{\n}", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for format := range bodies {
			rows, err := New(Config{Format: format}).Rows(nil, body)
			if err != nil && (rows != nil || err.Code == "") {
				t.Fatalf("format %d of %q: %d rows and %v", format, body, len(rows), err)
			}
			if err == nil && format == FormatJSON {
				again, err := New(Config{}).Rows(nil, append(append([]byte{}, body...), '\n'))
				if err != nil || len(again) != len(rows) {
					t.Fatalf("%q and an empty line: %d rows, then %d, %v", body, len(rows), len(again), err)
				}
			}
		}
	})
}
