// Package repr is what a value, a row, a type, a time and a diff are, and how a row is packed.
//
// A Datum is one SQL value, used while an expression is evaluated. A row at rest is packed bytes: its
// columns one after the other, each self-delimiting and tagged, so that
//
//   - equal rows have equal bytes, and a row can be hashed, compared and copied without knowing its types;
//   - a prefix of columns is a prefix of bytes, so a key is a prefix of an arranged row;
//   - for columns in canonical form (Datum.Canonical) the order of bytes is the order of values, NULLs last.
//
// Equal is not always identical: numeric 1.1 and 1.10, float 0 and -0, or '1 mon' and '30 days' are one
// key but print differently. A value is packed as it prints (Append); a key is packed in canonical form
// (AppendKey). Start reading at datum.go, then codec.go.
package repr
