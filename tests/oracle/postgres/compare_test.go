package postgres

import (
	"testing"

	"millrace/tests/inside"
)

func rows(rows ...[]string) *inside.Answer {
	return &inside.Answer{Types: []uint32{oidNumeric, 25}, Rows: rows}
}

func failed(code string) *inside.Answer { return &inside.Answer{Err: &inside.Error{Code: code}} }

// What is let pass and what is not.
func TestJudge(t *testing.T) {
	t.Parallel()
	one, two := []string{"1.0", "a"}, []string{"2", inside.Null}
	for name, tc := range map[string]struct {
		text               string
		theirs, once, kept *inside.Answer
		kind               kind
		way                string
	}{
		"other order":             {"SELECT", rows(one, two), rows(two, one), rows(one, two), right, ""},
		"a row too few":           {"SELECT", rows(one, one), rows(one, one), rows(one), wrong, "view"},
		"a row too many":          {"SELECT", rows(one), rows(one, two), rows(one), wrong, "select"},
		"NULL is no text":         {"SELECT", rows(two), rows([]string{"2", "NULL"}), rows(two), wrong, "select"},
		"zeros count":             {"SELECT", rows(one), rows([]string{"1", "a"}), rows(one), wrong, "select"},
		"zeros of a group":        {"GROUP BY", rows(one), rows([]string{"1.00", "a"}), rows([]string{"1", "a"}), right, ""},
		"not supported":           {"SELECT", rows(one), failed("0A000"), failed("0A000"), unsupported, "select"},
		"a view not supported":    {"SELECT", rows(one), rows(one), failed("0A000"), unsupported, "view"},
		"PostgreSQL refuses":      {"SELECT", failed("42601"), failed("42601"), failed("42601"), invalid, ""},
		"a fault excused by none": {"SELECT", failed("42601"), failed("42601"), failed("XX000"), wrong, "view"},
		"we refuse":               {"SELECT", rows(one), failed("42883"), failed("42883"), wrong, "select"},
		"both fail":               {"SELECT", failed("22012"), failed("22P02"), failed("22012"), right, ""},
		"only PostgreSQL fails":   {"SELECT", failed("22012"), rows(one), failed("22012"), free, "select"},
		"only we fail":            {"SELECT", rows(one), rows(one), failed("22012"), free, "view"},
		"a fault inside":          {"SELECT", failed("22012"), failed("XX000"), failed("22012"), wrong, "select"},
		"a fault in the view":     {"SELECT", rows(one), rows(one), failed("XX000"), wrong, "view"},
		"worse of both is shown":  {"SELECT", rows(one), rows(two), failed("0A000"), wrong, "select"},
	} {
		v := judge(tc.text, tc.theirs, tc.once, tc.kept)
		if v.kind != tc.kind || tc.kind > invalid && v.way != tc.way {
			t.Errorf("%s: kind %d of the %s (%s), want %d of the %s", name, v.kind, v.way, v.why, tc.kind, tc.way)
		}
	}
}

// Types belong to the answer.
func TestJudgeTypes(t *testing.T) {
	t.Parallel()
	ours := rows([]string{"1", "a"})
	ours.Types = []uint32{23, 25}
	if v := judge("SELECT", rows([]string{"1", "a"}), ours, ours); v.kind != wrong {
		t.Errorf("kind %d", v.kind)
	}
}
