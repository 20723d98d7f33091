package coord

import (
	"cmp"
	"path/filepath"
	"strings"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/file"
	"millrace/sql/ast"
)

// fileSource is a source that reads files of the server.
type fileSource struct {
	outside
	foundSchemas
	declared
	path string // as the statement has it
	cfg  file.Config
}

// fileFormats are the formats of files, in the words of the connector.
var fileFormats = map[ast.FormatKind]file.Format{
	ast.FormatText: file.FormatText, ast.FormatBytes: file.FormatBytes, ast.FormatJSON: file.FormatJSON, ast.FormatCSV: file.FormatCSV,
	ast.FormatParquet: file.FormatTable,
}

// fileSource reads a CREATE SOURCE … FROM FILE.
func (s *Session) fileSource(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	value := st.Encoding.Both
	switch {
	case st.Tables != nil || st.Check != nil:
		return nil, unsupported("FOR TABLES or CHECK of files", st.Pos)
	case st.Envelope != nil && st.Envelope.Kind != ast.EnvelopeNone:
		return nil, unsupported("ENVELOPE "+st.Envelope.Kind.String()+" of files", st.Envelope.Pos)
	case st.Encoding.Key != nil || st.Encoding.Value != nil:
		return nil, unsupported("KEY FORMAT and VALUE FORMAT of files", st.Pos).WithHint("files have FORMAT")
	case value == nil:
		return nil, repr.NewError(repr.CodeSyntax, "the source has no FORMAT").WithHint("add FORMAT TEXT, BYTES, JSON or CSV").At(st.Pos)
	}
	spec := &fileSource{path: st.From.Address}
	spec.place = "file " + spec.path
	for _, list := range [][]ast.Option{st.From.Options, st.Options} {
		if err := spec.takeOptions(list); err != nil {
			return nil, err
		}
	}
	var err *repr.Error
	if spec.declared, err = declaredColumns(st); err != nil {
		return nil, err
	}
	if err := spec.takeFormat(value); err != nil {
		return nil, err
	}
	return spec, spec.takeIncludes(st.Includes)
}

// fileIncludes are what of records can be columns.
var fileIncludes = map[ast.IncludeKind]file.Metadata{
	ast.IncludeFile: file.IncludeFile, ast.IncludeLine: file.IncludeLine, ast.IncludeOffset: file.IncludeOffset, ast.IncludeTimestamp: file.IncludeTime,
}

func (spec *fileSource) takeIncludes(list []ast.Include) *repr.Error {
	for _, in := range list {
		what, ok := fileIncludes[in.Kind]
		if !ok {
			return unsupported("INCLUDE "+in.Kind.String()+" of files", in.Pos).WithHint("there are FILE, LINE, OFFSET and TIMESTAMP, which is when the file was changed")
		}
		spec.cfg.Include = append(spec.cfg.Include, file.Include{What: what, As: cmp.Or(in.Alias, strings.ToLower(in.Kind.String()))})
	}
	return nil
}

// compressions are how files are packed.
var compressions = map[string]file.Compression{"none": file.Uncompressed, "gzip": file.Gzip, "zstd": file.Zstd, "snappy": file.Snappy}

func (spec *fileSource) takeOptions(list []ast.Option) *repr.Error {
	for _, o := range list {
		switch {
		case o.Name == optionRetain, isErrorOption(o.Name):
		case o.Name == "tail":
			v, ok := optionBool(o)
			if !ok {
				return repr.NewError(repr.CodeInvalidParameter, "TAIL is true or false").At(o.Pos)
			}
			spec.cfg.Tail = v
		case o.Name == "compression":
			c, ok := compressions[strings.ToLower(o.Value.Text)]
			if !ok {
				return repr.NewError(repr.CodeInvalidParameter, "unknown compression \""+o.Value.Text+"\"").
					WithHint("there are gzip, zstd, snappy and none; without the option files are unpacked by their suffix: .gz, .zst, .sz or .snappy").At(o.Pos)
			}
			spec.cfg.Compression = c
		default:
			return unsupported("the source option "+strings.ToUpper(o.Name), o.Pos).WithHint("the options are TAIL, COMPRESSION, RETAIN HISTORY FOR, ON ERROR, MAX ERROR RATE, RETAIN ERRORS, DEAD LETTER TOPIC and DEAD LETTER CONNECTION")
		}
	}
	return nil
}

// takeFormat reads the format, as that of messages is read.
func (spec *fileSource) takeFormat(f *ast.MessageFormat) *repr.Error {
	kind, ok := fileFormats[f.Kind]
	if !ok {
		return unsupported("this format of files", f.Pos).WithHint("the formats are TEXT, BYTES, JSON, CSV and PARQUET")
	}
	if kind == file.FormatTable {
		return spec.takeTable(f)
	}
	_, shape, err := shapeOf(f, spec.columns)
	if err != nil {
		return err
	}
	cfg := &spec.cfg
	cfg.Infer = shape.Infer
	cfg.Format, cfg.Columns, cfg.Count, cfg.Delimiter, cfg.Header = kind, shape.Columns, shape.Count, shape.Delimiter, shape.Header
	cfg.Names, cfg.Keys = spec.names, spec.keys
	return nil
}

// infers says whether the columns are found out by reading.
func (spec *fileSource) infers() bool { return spec.cfg.Infer }

// takeTable takes files that say their columns themselves.
func (spec *fileSource) takeTable(f *ast.MessageFormat) *repr.Error {
	switch {
	case len(spec.columns) > 0:
		return unsupported("a list of columns with types and FORMAT PARQUET", f.Pos).
			WithHint("the files say the types; a list of names without types renames the columns")
	case spec.cfg.Compression != file.BySuffix:
		return repr.NewError(repr.CodeInvalidParameter, "files of Parquet are packed inside: COMPRESSION does not go with them").At(f.Pos)
	case spec.cfg.Tail:
		return repr.NewError(repr.CodeInvalidParameter, "files of Parquet are complete: TAIL does not go with them").At(f.Pos)
	}
	spec.cfg.Format, spec.cfg.Names, spec.cfg.Keys = file.FormatTable, spec.names, spec.keys
	return nil
}

// within finds the folder that a path is in, of those that sources may read, and the rest of the path.
func (spec *fileSource) within(folders []string) (root, rest string, err *repr.Error) {
	if len(folders) == 0 {
		return "", "", repr.NewError(repr.CodeInsufficientPrivilege, "sources may read no files of this server").
			WithHint("start it with --file-sources DIR to let them read what is in a folder")
	}
	path := filepath.Clean(spec.path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(folders[0], path)
	}
	for _, folder := range folders {
		rest, err := filepath.Rel(folder, path)
		if err == nil && filepath.IsLocal(rest) && rest != "." {
			return folder, filepath.ToSlash(rest), nil
		}
	}
	return "", "", repr.NewError(repr.CodeInsufficientPrivilege, "\""+spec.path+"\" is not in a folder that sources may read").
		WithHint("they may read " + strings.Join(folders, ", "))
}

func (spec *fileSource) connector(c *Coordinator) (sources.Described, *repr.Error) {
	cfg := spec.cfg
	var err *repr.Error
	if cfg.Root, cfg.Pattern, err = spec.within(c.opts.FileSources); err != nil {
		return nil, err
	}
	if cfg.Open = c.opts.ParquetFiles; cfg.Open == nil && cfg.Format == file.FormatTable {
		return nil, repr.NewError(repr.CodeFeatureNotSupported, "this server reads no files of Parquet")
	}
	cfg.Kept, cfg.Clock, cfg.Log = spec.foundSchemas.value, c.opts.Clock, c.opts.Log
	return file.New(cfg), nil
}
