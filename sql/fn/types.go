package fn

import (
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Limits of modifiers.
const (
	maxLength    = 10485760
	maxPrecision = 1000
)

// TypeByName finds a type by its name in the catalog (or in SQL) and its modifiers. The schema is "" or pg_catalog; the
// modifiers of an interval are its fields, as bits of a typmod, and its precision.
func TypeByName(schema, name string, mods []int32) (repr.Type, *repr.Error) {
	t, ok := lookupType(name)
	if !ok || schema != "" && schema != "pg_catalog" {
		full := name
		if schema != "" {
			full = schema + "." + name
		}
		return repr.Type{}, repr.NewError(repr.CodeUndefinedObject, `type "`+full+`" does not exist`)
	}
	if len(mods) == 0 {
		return t, nil
	}
	mod, err := typmod(t, name, mods)
	if err != nil {
		return repr.Type{}, err
	}
	t.Mod = mod
	return t, nil
}

// lookupType finds a type by a name whose case has been folded, or that was quoted.
func lookupType(name string) (repr.Type, bool) {
	if name == "char" { // the parser writes CHAR as bpchar
		return repr.TypeOf(repr.KindChar), true
	}
	return pgfmt.TypeNamed(name)
}

func typmod(t repr.Type, name string, mods []int32) (int32, *repr.Error) {
	k := t.Kind
	if k == repr.KindArray {
		k = t.Elem
	}
	switch k {
	case repr.KindVarchar, repr.KindBpchar:
		return lengthMod(k, mods)
	case repr.KindNumeric:
		return numericMod(mods)
	case repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ:
		return timeMod(k, mods)
	case repr.KindInterval:
		return intervalMod(mods)
	default:
		return 0, repr.NewError(repr.CodeSyntax, `type modifier is not allowed for type "`+name+`"`)
	}
}

func invalidMod(message string) *repr.Error { return repr.NewError(repr.CodeInvalidParameter, message) }

func lengthMod(k repr.Kind, mods []int32) (int32, *repr.Error) {
	name := "varchar"
	if k == repr.KindBpchar {
		name = "char"
	}
	switch {
	case len(mods) != 1:
		return 0, invalidMod("invalid type modifier")
	case mods[0] < 1:
		return 0, invalidMod("length for type " + name + " must be at least 1")
	case mods[0] > maxLength:
		return 0, invalidMod("length for type " + name + " cannot exceed " + strconv.Itoa(maxLength))
	}
	return mods[0] + 4, nil
}

func numericMod(mods []int32) (int32, *repr.Error) {
	scale := int32(0)
	if len(mods) > 2 {
		return 0, invalidMod("invalid NUMERIC type modifier")
	}
	if mods[0] < 1 || mods[0] > maxPrecision {
		return 0, invalidMod("NUMERIC precision " + strconv.Itoa(int(mods[0])) + " must be between 1 and 1000")
	}
	if len(mods) == 2 {
		scale = mods[1]
		if scale < -maxPrecision || scale > maxPrecision {
			return 0, invalidMod("NUMERIC scale " + strconv.Itoa(int(scale)) + " must be between -1000 and 1000")
		}
	}
	return mods[0]<<16 | scale&0x7ff + 4, nil
}

func timeMod(k repr.Kind, mods []int32) (int32, *repr.Error) {
	if len(mods) != 1 {
		return 0, invalidMod("invalid type modifier")
	}
	if mods[0] < 0 {
		name, zone, _ := strings.Cut(strings.ToUpper(k.String()), " ")
		return 0, invalidMod(name + "(" + strconv.Itoa(int(mods[0])) + ") " + zone + " precision must not be negative")
	}
	return min(mods[0], 6) + 4, nil
}

func intervalMod(mods []int32) (int32, *repr.Error) {
	fields, precision := mods[0], int32(pgfmt.IntervalFullPrecision)
	switch {
	case len(mods) > 2:
		return 0, invalidMod("invalid INTERVAL type modifier")
	case len(mods) == 2:
		precision = min(mods[1], 6)
	case fields <= 6 && fields >= 0 && fields != pgfmt.FieldMonth && fields != pgfmt.FieldYear: // interval(p)
		fields, precision = pgfmt.FieldsAll, fields
	}
	if precision < 0 {
		return 0, invalidMod("INTERVAL(" + strconv.Itoa(int(precision)) + ") precision must not be negative")
	}
	return fields<<16 | precision, nil
}

// IntervalFields are the bits of a typmod for the fields of an interval type as SQL writes them: YEAR TO MONTH.
func IntervalFields(fields string) (int32, bool) {
	bits, ok := intervalFieldBits[strings.ToUpper(fields)]
	return bits, ok
}

var intervalFieldBits = map[string]int32{
	"YEAR": pgfmt.FieldYear, "MONTH": pgfmt.FieldMonth, "DAY": pgfmt.FieldDay,
	"HOUR": pgfmt.FieldHour, "MINUTE": pgfmt.FieldMinute, "SECOND": pgfmt.FieldSecond,
	"YEAR TO MONTH":    pgfmt.FieldYear | pgfmt.FieldMonth,
	"DAY TO HOUR":      pgfmt.FieldDay | pgfmt.FieldHour,
	"DAY TO MINUTE":    pgfmt.FieldDay | pgfmt.FieldHour | pgfmt.FieldMinute,
	"DAY TO SECOND":    pgfmt.FieldDay | pgfmt.FieldHour | pgfmt.FieldMinute | pgfmt.FieldSecond,
	"HOUR TO MINUTE":   pgfmt.FieldHour | pgfmt.FieldMinute,
	"HOUR TO SECOND":   pgfmt.FieldHour | pgfmt.FieldMinute | pgfmt.FieldSecond,
	"MINUTE TO SECOND": pgfmt.FieldMinute | pgfmt.FieldSecond,
}

// CommonType is the type to which UNION, CASE, COALESCE and VALUES bring their inputs. The error names the first two types
// that have none in common; callers put the name of their construct before it.
func CommonType(types []repr.Type) (repr.Type, *repr.Error) {
	var best repr.Type
	same := true
	for _, t := range types {
		if t.Kind == repr.KindNull {
			continue
		}
		if best.Kind == repr.KindNull {
			best = t
			continue
		}
		if plain(best) == plain(t) {
			same = same && best.Mod == t.Mod
			continue
		}
		same = false
		if category(best) != category(t) {
			return best, repr.NewError(repr.CodeDatatypeMismatch, "types "+plain(best).String()+" and "+plain(t).String()+" cannot be matched")
		}
		if !preferred(best) && implicit(best, t) && !implicit(t, best) {
			best = t
		}
	}
	if best.Kind == repr.KindNull {
		return repr.TypeOf(repr.KindText), nil
	}
	for _, t := range types {
		if t.Kind != repr.KindNull && !implicit(t, best) {
			return best, repr.NewError(repr.CodeCannotCoerce, "could not convert type "+plain(t).String()+" to "+plain(best).String())
		}
	}
	if !same {
		best.Mod = -1
	}
	return best, nil
}

// category is PostgreSQL's typcategory.
func category(t repr.Type) byte {
	switch {
	case t.Kind == repr.KindArray:
		return 'A'
	case isPseudo(t):
		return 'P'
	default:
		return repr.Kinds[t.Kind].Category
	}
}

// preferred is PostgreSQL's typispreferred.
func preferred(t repr.Type) bool {
	return t.Kind != repr.KindArray && !isPseudo(t) && repr.Kinds[t.Kind].Preferred
}
