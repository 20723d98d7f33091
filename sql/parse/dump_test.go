package parse

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"millrace/sql/ast"
)

// dump writes a tree as an s-expression: (Type field=value …), fields that are zero left out. With
// positions every node that has one shows it as Type@12.
func dump(node any, positions bool) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(node), positions)
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value, positions bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		dumpValue(b, v.Elem(), positions)
	case reflect.Struct:
		dumpStruct(b, v, positions)
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(' ')
			}
			dumpValue(b, v.Index(i), positions)
		}
		b.WriteByte(']')
	case reflect.String:
		dumpString(b, v.String())
	default:
		if s, ok := v.Interface().(fmt.Stringer); ok {
			dumpString(b, s.String())
			return
		}
		fmt.Fprint(b, v.Interface())
	}
}

func dumpString(b *strings.Builder, s string) {
	if s == "" || strings.ContainsAny(s, " \"'()[]=\n\t\\") {
		s = strconv.Quote(s)
	}
	b.WriteString(s)
}

func dumpStruct(b *strings.Builder, v reflect.Value, positions bool) {
	if n, ok := v.Interface().(ast.Insert); ok && n.Constants != nil {
		v = reflect.ValueOf(*n.Plain())
	}
	if n, ok := v.Interface().(ast.Name); ok {
		b.WriteString(n.String())
		if positions {
			fmt.Fprintf(b, "@%d", n.Pos)
		}
		return
	}
	if n, ok := v.Interface().(ast.Ident); ok {
		dumpString(b, n.Name)
		return
	}
	b.WriteByte('(')
	b.WriteString(v.Type().Name())
	for i := range v.NumField() {
		f := v.Field(i)
		if at, ok := f.Interface().(ast.At); ok {
			if positions && at.Pos > 0 {
				fmt.Fprintf(b, "@%d", at.Pos)
			}
			continue
		}
		if f.IsZero() {
			continue
		}
		b.WriteByte(' ')
		b.WriteString(v.Type().Field(i).Name)
		if f.Kind() == reflect.Bool {
			continue
		}
		b.WriteByte('=')
		dumpValue(b, f, positions)
	}
	b.WriteByte(')')
}
