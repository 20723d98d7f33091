package jsonb

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Member is a member of an object to be built.
type Member struct {
	Key   string
	Value []byte // in normal form
}

// AppendObject appends an object. The members are sorted in place; of members with one key the last stays.
func AppendObject(dst []byte, members []Member) []byte {
	slices.SortStableFunc(members, func(a, b Member) int {
		if len(a.Key) != len(b.Key) {
			return len(a.Key) - len(b.Key)
		}
		return strings.Compare(a.Key, b.Key)
	})
	dst = append(dst, '{')
	first := true
	for i, m := range members {
		if i+1 < len(members) && members[i+1].Key == m.Key {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(AppendString(dst, m.Key), ": "...)
		dst = append(dst, m.Value...)
	}
	return append(dst, '}')
}

// AppendArray appends an array of values in normal form.
func AppendArray(dst []byte, elems [][]byte) []byte {
	dst = append(dst, '[')
	for i, e := range elems {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, e...)
	}
	return append(dst, ']')
}

func elemsOf(b []byte) [][]byte {
	var out [][]byte
	for e := range Elems(b) {
		out = append(out, e)
	}
	return out
}

func membersOf(b []byte) []Member {
	var out []Member
	for k, v := range Members(b) {
		out = append(out, Member{Key: string(Unquote(k)), Value: v})
	}
	return out
}

// Concat is a || b: objects merge, with b's values before a's; else both become arrays and are joined.
func Concat(a, b []byte) []byte {
	if a[0] == '{' && b[0] == '{' {
		return AppendObject(nil, append(membersOf(a), membersOf(b)...))
	}
	return AppendArray(nil, append(asArray(a), asArray(b)...))
}

func asArray(b []byte) [][]byte {
	if b[0] == '[' {
		return elemsOf(b)
	}
	return [][]byte{b}
}

func paramError(code, message string) error { return &Error{Code: code, Message: message} }

// DeleteKeys removes members of an object, or strings of an array.
func DeleteKeys(b []byte, keys []string) ([]byte, error) {
	switch b[0] {
	case '{':
		members := slices.DeleteFunc(membersOf(b), func(m Member) bool { return slices.Contains(keys, m.Key) })
		return AppendObject(nil, members), nil
	case '[':
		elems := slices.DeleteFunc(elemsOf(b), func(e []byte) bool {
			return e[0] == '"' && slices.Contains(keys, string(Unquote(e)))
		})
		return AppendArray(nil, elems), nil
	default:
		return nil, paramError(codeInvalidParam, "cannot delete from scalar")
	}
}

// DeleteIndex removes an element of an array, counted from the end when negative.
func DeleteIndex(b []byte, i int) ([]byte, error) {
	switch b[0] {
	case '[':
		elems := elemsOf(b)
		if i < 0 {
			i += len(elems)
		}
		if i < 0 || i >= len(elems) {
			return b, nil
		}
		return AppendArray(nil, slices.Delete(elems, i, i+1)), nil
	case '{':
		return nil, paramError(codeInvalidParam, "cannot delete from object using integer index")
	default:
		return nil, paramError(codeInvalidParam, "cannot delete from scalar")
	}
}

// DeletePath removes what stands at a path, if it is there.
func DeletePath(b []byte, path []string) ([]byte, error) {
	if b[0] != '{' && b[0] != '[' {
		return nil, paramError(codeInvalidParam, "cannot delete path in scalar")
	}
	if len(path) == 0 || len(b) == 2 {
		return b, nil
	}
	return edit(b, path, 0, editor{op: opDelete})
}

// Set puts value at a path; a last step that is not there is added when create is set.
func Set(b []byte, path []string, value []byte, create bool) ([]byte, error) {
	if b[0] != '{' && b[0] != '[' {
		return nil, paramError(codeInvalidParam, "cannot set path in scalar")
	}
	if len(path) == 0 || b[1] == '}' && !create || b[1] == ']' && !create {
		return b, nil
	}
	return edit(b, path, 0, editor{op: opSet, value: value, create: create})
}

// Insert puts value before (or behind, when after is set) the element of an array at a path, or adds the member of an
// object there, which must not exist yet.
func Insert(b []byte, path []string, value []byte, after bool) ([]byte, error) {
	if b[0] != '{' && b[0] != '[' {
		return nil, paramError(codeInvalidParam, "cannot set path in scalar")
	}
	if len(path) == 0 {
		return b, nil
	}
	return edit(b, path, 0, editor{op: opInsert, value: value, after: after})
}

type editOp uint8

const (
	opDelete editOp = iota
	opSet
	opInsert
)

// editor is what happens at the end of a path.
type editor struct {
	op     editOp
	value  []byte
	create bool
	after  bool
}

func edit(b []byte, path []string, level int, e editor) ([]byte, error) {
	switch b[0] {
	case '{':
		return editObject(b, path, level, e)
	case '[':
		return editArray(b, path, level, e)
	default:
		return b, nil
	}
}

func editObject(b []byte, path []string, level int, e editor) ([]byte, error) {
	members := membersOf(b)
	at := slices.IndexFunc(members, func(m Member) bool { return m.Key == path[level] })
	last := level == len(path)-1
	switch {
	case !last && at >= 0:
		v, err := edit(members[at].Value, path, level+1, e)
		if err != nil {
			return nil, err
		}
		members[at].Value = v
	case !last:
		return b, nil
	case at >= 0 && e.op == opDelete:
		members = slices.Delete(members, at, at+1)
	case at >= 0 && e.op == opSet:
		members[at].Value = e.value
	case at >= 0:
		return nil, &Error{
			Code: codeInvalidParam, Message: "cannot replace existing key",
			Hint: "Try using the function jsonb_set to replace key value.",
		}
	case e.op == opInsert || e.op == opSet && e.create:
		members = append(members, Member{Key: path[level], Value: e.value})
	default:
		return b, nil
	}
	return AppendObject(nil, members), nil
}

func editArray(b []byte, path []string, level int, e editor) ([]byte, error) {
	i, ok := arrayIndex(path[level])
	if !ok {
		return nil, paramError(codeInvalidText,
			"path element at position "+strconv.Itoa(level+1)+" is not an integer: \""+path[level]+"\"")
	}
	elems := elemsOf(b)
	at := i
	if i < 0 {
		at = i + len(elems)
	}
	found := at >= 0 && at < len(elems)
	if level < len(path)-1 {
		if !found {
			return b, nil
		}
		v, err := edit(elems[at], path, level+1, e)
		if err != nil {
			return nil, err
		}
		elems[at] = v
		return AppendArray(nil, elems), nil
	}
	switch {
	case found && e.op == opDelete:
		elems = slices.Delete(elems, at, at+1)
	case found && e.op == opSet:
		elems[at] = e.value
	case found && e.after:
		elems = slices.Insert(elems, at+1, e.value)
	case found:
		elems = slices.Insert(elems, at, e.value)
	case e.op == opDelete || e.op == opSet && !e.create:
		return b, nil
	case at < 0:
		elems = slices.Insert(elems, 0, e.value)
	default:
		elems = append(elems, e.value)
	}
	return AppendArray(nil, elems), nil
}

// arrayIndex reads a step of a path as a number.
func arrayIndex(step string) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimLeft(step, " \t\n\r\v\f"), 10, 32)
	return int(n), err == nil
}

// StripNulls removes the members of objects whose value is null, at every depth.
func StripNulls(b []byte) []byte {
	switch b[0] {
	case '{':
		members := slices.DeleteFunc(membersOf(b), func(m Member) bool { return m.Value[0] == 'n' })
		for i := range members {
			members[i].Value = StripNulls(members[i].Value)
		}
		return AppendObject(nil, members)
	case '[':
		elems := elemsOf(b)
		for i := range elems {
			elems[i] = StripNulls(elems[i])
		}
		return AppendArray(nil, elems)
	default:
		return b
	}
}

// Pretty appends the value with one item to a line, indented by four spaces.
func Pretty(dst, b []byte) []byte { return pretty(dst, b, 0) }

func pretty(dst, b []byte, depth int) []byte {
	open := b[0]
	if open != '{' && open != '[' {
		return append(dst, b...)
	}
	dst = append(dst, open)
	first := true
	item := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = newLine(dst, depth+1)
	}
	if open == '{' {
		for k, v := range Members(b) {
			item()
			dst = append(append(dst, k...), ": "...)
			dst = pretty(dst, v, depth+1)
		}
	} else {
		for e := range Elems(b) {
			item()
			dst = pretty(dst, e, depth+1)
		}
	}
	return append(newLine(dst, depth), open+2)
}

func newLine(dst []byte, depth int) []byte {
	return append(append(dst, '\n'), bytes.Repeat([]byte("    "), depth)...)
}
