package coord

import (
	"strings"

	"millrace/repr"
	"millrace/sql/ast"
)

// CopyFormat is how the rows of a COPY look.
type CopyFormat struct {
	Format      string // text, csv or binary
	Delimiter   byte
	Null        string
	Header      bool
	HeaderMatch bool // the header that comes in has to name the columns
	Quote       byte // of csv
	Escape      byte
}

// copyOptions are the options of COPY: each reads one into the format. What is wrong with it is a text for the user.
var copyOptions = map[string]func(f *CopyFormat, v ast.Option) *repr.Error{
	"format": func(f *CopyFormat, o ast.Option) *repr.Error {
		f.Format = strings.ToLower(o.Value.Text)
		if f.Format != "text" && f.Format != "csv" && f.Format != "binary" {
			return repr.NewError(repr.CodeInvalidParameter, "COPY format \""+o.Value.Text+"\" not recognized")
		}
		return nil
	},
	"delimiter": func(f *CopyFormat, o ast.Option) *repr.Error { return oneByte(&f.Delimiter, o, "delimiter") },
	"quote":     func(f *CopyFormat, o ast.Option) *repr.Error { return oneByte(&f.Quote, o, "quote") },
	"escape":    func(f *CopyFormat, o ast.Option) *repr.Error { return oneByte(&f.Escape, o, "escape") },
	"null": func(f *CopyFormat, o ast.Option) *repr.Error {
		if f.Null = o.Value.Text; strings.ContainsAny(f.Null, "\r\n") {
			return repr.NewError(repr.CodeInvalidParameter, "COPY null representation cannot use newline or carriage return")
		}
		return nil
	},
	"header": func(f *CopyFormat, o ast.Option) *repr.Error {
		if f.HeaderMatch = strings.EqualFold(o.Value.Text, "match"); f.HeaderMatch {
			f.Header = true
			return nil
		}
		v, ok := optionBool(o)
		if !ok {
			return repr.NewError(repr.CodeSyntax, "header requires a Boolean value or \"match\"")
		}
		f.Header = v
		return nil
	},
	"encoding": func(_ *CopyFormat, o ast.Option) *repr.Error {
		if name := strings.ToLower(strings.ReplaceAll(o.Value.Text, "-", "")); name != "utf8" && name != "unicode" {
			return repr.NewError(repr.CodeFeatureNotSupported, "the encoding \""+o.Value.Text+"\" of COPY is not supported").WithHint("send UTF8")
		}
		return nil
	},
	"freeze": func(*CopyFormat, ast.Option) *repr.Error { return nil }, // rows are never rewritten here
}

func oneByte(to *byte, o ast.Option, what string) *repr.Error {
	if len(o.Value.Text) != 1 {
		code := repr.CodeFeatureNotSupported
		return repr.NewError(code, "COPY "+what+" must be a single one-byte character")
	}
	*to = o.Value.Text[0]
	return nil
}

// copyFormat reads the options of COPY.
func copyFormat(options []ast.Option) (*CopyFormat, *repr.Error) {
	f := &CopyFormat{Format: "text"}
	given := map[string]bool{}
	for _, o := range options {
		if name, word, ok := strings.Cut(o.Name, " "); ok { // HEADER MATCH
			o.Name, o.Value = name, ast.OptionValue{At: o.At, Kind: ast.OptionWord, Text: word}
		}
		read := copyOptions[o.Name]
		if read == nil {
			return nil, unsupported("the COPY option "+strings.ToUpper(o.Name), o.Pos)
		}
		if given[o.Name] {
			return nil, repr.NewError(repr.CodeSyntax, "conflicting or redundant options").At(o.Pos)
		}
		given[o.Name] = true
		if err := read(f, o); err != nil {
			return nil, err.At(o.Pos)
		}
	}
	if err := f.agree(given); err != nil {
		return nil, err
	}
	return f, nil
}

// agree gives what was not said its default, and refuses what does not go together.
func (f *CopyFormat) agree(given map[string]bool) *repr.Error {
	delimiter, null := byte('\t'), `\N`
	if f.Format == "csv" {
		delimiter, null = ',', ""
	}
	if !given["delimiter"] {
		f.Delimiter = delimiter
	}
	if !given["null"] {
		f.Null = null
	}
	if !given["quote"] {
		f.Quote = '"'
	}
	if !given["escape"] {
		f.Escape = f.Quote
	}
	refused := func(text string) *repr.Error { return repr.NewError(repr.CodeInvalidParameter, text) }
	switch {
	case f.Format == "binary" && given["delimiter"]:
		return repr.NewError(repr.CodeSyntax, "cannot specify DELIMITER in BINARY mode")
	case f.Format == "binary" && given["null"]:
		return repr.NewError(repr.CodeSyntax, "cannot specify NULL in BINARY mode")
	case f.Format == "binary" && f.Header:
		return repr.NewError(repr.CodeFeatureNotSupported, "cannot specify HEADER in BINARY mode")
	case f.Format != "csv" && given["quote"]:
		return repr.NewError(repr.CodeFeatureNotSupported, "COPY quote available only in CSV mode")
	case f.Format != "csv" && given["escape"]:
		return repr.NewError(repr.CodeFeatureNotSupported, "COPY escape available only in CSV mode")
	case f.Delimiter == '\n' || f.Delimiter == '\r':
		return refused("COPY delimiter cannot be newline or carriage return")
	case f.Format == "text" && strings.IndexByte(`\.abcdefghijklmnopqrstuvwxyz0123456789`, f.Delimiter) >= 0:
		return refused("COPY delimiter cannot be \"" + string(rune(f.Delimiter)) + "\"")
	case f.Format == "csv" && f.Delimiter == f.Quote:
		return refused("COPY delimiter and quote must be different")
	case f.Format != "binary" && strings.IndexByte(f.Null, f.Delimiter) >= 0:
		return refused("COPY delimiter must not appear in the NULL specification")
	case f.Format == "csv" && strings.IndexByte(f.Null, f.Quote) >= 0:
		return refused("CSV quote character must not appear in the NULL specification")
	}
	return nil
}
