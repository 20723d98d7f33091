package twin

import "testing"

func TestSame(t *testing.T) {
	t.Parallel()
	a := Answer{{"1", "x"}, {"1", "x"}, {"2", Null}}
	for name, tc := range map[string]struct {
		b    Answer
		same bool
	}{
		"other order":   {Answer{{"2", Null}, {"1", "x"}, {"1", "x"}}, true},
		"once too few":  {Answer{{"1", "x"}, {"2", Null}}, false},
		"once too many": {Answer{{"1", "x"}, {"1", "x"}, {"1", "x"}, {"2", Null}}, false},
		"NULL for text": {Answer{{"1", "x"}, {"1", "x"}, {"2", "NULL"}}, false},
		"scale of zero": {Answer{{"1.0", "x"}, {"1", "x"}, {"2", Null}}, false},
		"empty":         {nil, false},
	} {
		if err := Same(tc.b, a); (err == nil) != tc.same {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := (Answer{{Null, Null}, {Null, "1"}}).Rows(); n != 1 {
		t.Errorf("%d rows in which something is known, want 1", n)
	}
}

func TestSameFirst(t *testing.T) {
	t.Parallel()
	whole := Answer{{"a", "9"}, {"b", "8"}, {"c", "8"}, {"d", "8"}, {"e", "7"}}
	for name, tc := range map[string]struct {
		got   Answer
		limit int
		same  bool
	}{
		"as it stands":          {whole[:3], 3, true},
		"another among equals":  {Answer{{"a", "9"}, {"d", "8"}, {"b", "8"}}, 3, true},
		"one of equals twice":   {Answer{{"a", "9"}, {"d", "8"}, {"d", "8"}}, 3, false},
		"a later one":           {Answer{{"a", "9"}, {"b", "8"}, {"e", "7"}}, 3, false},
		"one too few":           {whole[:2], 3, false},
		"all of fewer":          {whole, 9, true},
		"a row that is nowhere": {Answer{{"a", "9"}, {"b", "8"}, {"z", "8"}}, 3, false},
	} {
		if err := SameFirst(tc.got, whole, tc.limit, []int{1}); (err == nil) != tc.same {
			t.Errorf("%s: %v", name, err)
		}
	}
}
