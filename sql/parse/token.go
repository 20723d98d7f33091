package parse

import "millrace/sql/ast"

// tokenKind is the lexical class of a token.
type tokenKind uint8

const (
	tokEOF    tokenKind = iota // the end of the statement: a semicolon, or the end of the text
	tokWord                    // an unquoted identifier or keyword, folded
	tokQuoted                  // a quoted identifier
	tokString                  // a string constant of any form, escapes resolved
	tokBits                    // B'' or X'', as zeros and ones
	tokNumber
	tokParam // $n; text is the digits
	tokOp    // an operator, also ":", "::", ":=" and "=>"
	tokPunct // ( ) [ ] , ; .
	tokRows  // what follows VALUES of an INSERT, when it is constants up to the end of the statement
)

// token is one lexical unit with its place.
type token struct {
	kind  tokenKind
	text  string
	start int // byte offsets in the whole text
	end   int
	char  int // 1-based character offset of start
	rows  *ast.Constants
}

// is says whether the token is that punctuation or operator.
func (t token) is(text string) bool {
	return (t.kind == tokPunct || t.kind == tokOp) && t.text == text
}

// isWord says whether the token is that unquoted word (lower case).
func (t token) isWord(word string) bool { return t.kind == tokWord && t.text == word }

// isName says whether the token can be an identifier as far as its form goes.
func (t token) isName() bool { return t.kind == tokWord || t.kind == tokQuoted }
