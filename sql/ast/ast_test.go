package ast

import "testing"

func TestQuoteIdent(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a": "a", "a_1$": "a_1$", "A": `"A"`, "1a": `"1a"`, "": `""`, "a b": `"a b"`, `a"b`: `"a""b"`,
		"select": `"select"`, "user": `"user"`, "value": "value", "é": `"é"`, "between": `"between"`,
	} {
		if got := QuoteIdent(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestQuoteLiteral(t *testing.T) {
	t.Parallel()
	if got := QuoteLiteral(`it's \n`); got != `'it''s \n'` {
		t.Errorf("got %s", got)
	}
}

func TestFindOption(t *testing.T) {
	t.Parallel()
	list := []Option{{Name: "a", Value: OptionValue{Text: "1"}}, {Name: "b"}, {Name: "a", Value: OptionValue{Text: "2"}}}
	if o, ok := FindOption(list, "a"); !ok || o.Value.Text != "2" {
		t.Errorf("got %v, %v: later options win", o, ok)
	}
	if _, ok := FindOption(list, "c"); ok {
		t.Error("found what isn't there")
	}
}

func TestTopicName(t *testing.T) {
	t.Parallel()
	topic := Option{Name: "topic", Value: OptionValue{Kind: OptionString, Text: "t"}}
	for _, c := range []struct {
		external External
		want     string
		ok       bool
	}{
		{External{Broker: "b", Topic: "old"}, "old", true},
		{External{Connection: NewName("c"), Options: []Option{topic}}, "t", true},
		{External{Connection: NewName("c")}, "", false},
	} {
		if got, ok := c.external.TopicName(); got != c.want || ok != c.ok {
			t.Errorf("%+v: got %q, %v", c.external, got, ok)
		}
	}
}

func TestNullsAreFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		item OrderItem
		want bool
	}{
		{OrderItem{}, false},
		{OrderItem{Desc: true}, true},
		{OrderItem{Desc: true, Nulls: NullsLast}, false},
		{OrderItem{Nulls: NullsFirst}, true},
	} {
		if got := c.item.NullsAreFirst(); got != c.want {
			t.Errorf("%+v: got %v", c.item, got)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	n := NewName("d", "s", "t")
	if n.Last() != "t" || n.String() != "d.s.t" || len(n.Qualifiers()) != 2 || n.IsZero() {
		t.Errorf("got %q, %q, %v", n.Last(), n.String(), n.Qualifiers())
	}
	var zero Name
	if zero.Last() != "" || zero.Qualifiers() != nil || !zero.IsZero() {
		t.Error("a zero name has parts")
	}
}
