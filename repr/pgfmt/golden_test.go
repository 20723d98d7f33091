package pgfmt

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/internal/golden"
	"millrace/internal/pgask"
	"millrace/repr"
)

// sendName is PostgreSQL's function that makes the binary form of a type.
func sendName(t repr.Type) string {
	switch t.Kind {
	case repr.KindArray:
		return "array_send"
	case repr.KindNumeric, repr.KindDate, repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ, repr.KindInterval,
		repr.KindUUID, repr.KindJSON, repr.KindJSONB:
		return repr.Kinds[t.Kind].Name + "_send"
	default:
		return repr.Kinds[t.Kind].Name + "send"
	}
}

// TestForms holds text and binary forms to PostgreSQL's answers. A case is `type mod=n setting=value`; each line is read
// as a value of the type and printed again, followed by its binary form.
func TestForms(t *testing.T) {
	t.Parallel()
	golden.RunDir(t, "testdata/forms", func(*testing.T) func(*testing.T, golden.Case) string {
		return func(t *testing.T, c golden.Case) string {
			var out strings.Builder
			for line := range strings.SplitSeq(c.Input, "\n") {
				out.WriteString(formLine(t, c, strings.ReplaceAll(line, "~", "\t")) + "\n")
			}
			return out.String()
		}
	})
}

func formLine(t *testing.T, c golden.Case, line string) string {
	t.Helper()
	typ, ok := TypeNamed(strings.ReplaceAll(c.Cmd, "-", " "))
	if !ok {
		t.Fatalf("no type %s", c.Cmd)
	}
	typ.Mod = int32(c.Int(t, "mod", -1))
	opt := optionsOf(t, c)
	if pgask.Asking() {
		if typ.HasMod() && (typ.Kind == repr.KindVarchar || typ.Kind == repr.KindBpchar) {
			// A cast of a literal would cut it; reading it does not.
			return pgask.Query(t, fmt.Sprintf("SELECT format('%%s', v) || ' | ' || encode(%s(v), 'hex') FROM (SELECT %sin($q$%s$q$, 0, %d) AS v) t",
				sendName(typ), repr.Kinds[typ.Kind].Name, line, typ.Mod))
		}
		q := "SELECT format('%s', v) || ' | ' || encode(" + sendName(typ) + "(v), 'hex') FROM (SELECT $q$" + line + "$q$::" + typ.String() + " AS v) t"
		return pgask.Query(t, q, settingsOf(c)...)
	}
	d, err := ParseText(typ, line, opt)
	if err != nil {
		return pgask.Error(err.Code, err.Message, err.Detail, err.Hint)
	}
	text := string(AppendText(nil, typ, d, opt))
	again, err := ParseText(typ, text, opt)
	if opt.FloatDigits >= 0 && (err != nil || repr.Compare(d, again) != 0) {
		t.Errorf("%s: %q does not read back: %v", c.Cmd, text, err)
	}
	bin := AppendBinary(nil, typ, d)
	back, err := ParseBinary(typ, bin)
	if err != nil || string(AppendText(nil, typ, back, opt)) != text {
		t.Errorf("%s: %q does not come back from its binary form %x: %v", c.Cmd, text, bin, err)
	}
	return text + " | " + hex.EncodeToString(bin)
}

// settingsOf are the SET statements of a case.
func settingsOf(c golden.Case) []string {
	var out []string
	for _, a := range c.Args {
		if a.Key != "mod" {
			out = append(out, "SET "+a.Key+" = '"+strings.Join(a.Values, ",")+"'")
		}
	}
	return out
}

func optionsOf(t *testing.T, c golden.Case) *Options {
	t.Helper()
	o := &Options{Now: time.Date(2021, 4, 26, 18, 17, 39, 0, time.UTC)}
	if z := c.Value("timezone", ""); z != "" {
		loc, err := SettingZone(z)
		if err != nil {
			t.Fatal(err)
		}
		o.TimeZone = loc
	}
	o.DateOrder = map[string]DateOrder{"": OrderMDY, "mdy": OrderMDY, "dmy": OrderDMY, "ymd": OrderYMD}[c.Value("datestyle", "")]
	o.IntervalStyle = map[string]IntervalStyle{
		"": IntervalPostgres, "iso_8601": IntervalISO8601, "sql_standard": IntervalSQLStandard, "postgres_verbose": IntervalVerbose,
	}[c.Value("intervalstyle", "")]
	o.FloatDigits = c.Int(t, "extra_float_digits", 1) - 1
	o.ByteaEscape = c.Value("bytea_output", "") == "escape"
	return o
}
