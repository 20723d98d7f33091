package coord

import (
	"math"
	"strconv"
	"strings"
	"time"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sources"
	"millrace/sources/loadgen"
	"millrace/sql/ast"
)

// loadgenSource is a source that makes up what it gives.
type loadgenSource struct {
	outside
	foundSchemas
	cfg loadgen.Config
}

// loadgenOptions read the options of a load generator.
var loadgenOptions = map[string]func(cfg *loadgen.Config, o *ast.Option) *repr.Error{
	"tick interval":   takeTickInterval,
	"scale factor":    takeScale,
	"max cardinality": func(cfg *loadgen.Config, o *ast.Option) *repr.Error { return takeCount(&cfg.Cardinality, o) },
	"up to":           func(cfg *loadgen.Config, o *ast.Option) *repr.Error { return takeCount(&cfg.UpTo, o) },
	"seed":            takeSeed,
	optionRetain:      func(*loadgen.Config, *ast.Option) *repr.Error { return nil },
}

// loadgenSource reads a CREATE SOURCE … FROM LOAD GENERATOR.
func (s *Session) loadgenSource(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	switch {
	case len(st.Columns) > 0 || len(st.ColumnNames) > 0 || len(st.Constraints) > 0:
		return nil, unsupported("a list of columns of a load generator", st.Pos)
	case st.Envelope != nil && st.Envelope.Kind != ast.EnvelopeNone:
		return nil, unsupported("ENVELOPE "+st.Envelope.Kind.String()+" of a load generator", st.Envelope.Pos)
	}
	spec := &loadgenSource{cfg: loadgen.Config{Generator: st.From.Generator}}
	spec.place = "load generator " + strings.ToUpper(st.From.Generator)
	for _, list := range [][]ast.Option{st.From.Options, st.Options} {
		for i := range list {
			take := loadgenOptions[list[i].Name]
			if take == nil {
				return nil, unsupported("the source option "+strings.ToUpper(list[i].Name), list[i].Pos).
					WithHint("the options are TICK INTERVAL, SCALE FACTOR, MAX CARDINALITY, UP TO, SEED and RETAIN HISTORY FOR")
			}
			if err := take(&spec.cfg, &list[i]); err != nil {
				return nil, err
			}
		}
	}
	if err := spec.takeRecord(st); err != nil {
		return nil, err
	}
	if _, err := loadgen.New(spec.cfg, s.c.opts.Clock); err != nil {
		return nil, asError(err).At(st.From.Pos)
	}
	return spec, nil
}

// loadgenFormats are the formats of records, in the words of the connector.
var loadgenFormats = map[ast.FormatKind]loadgen.Format{
	ast.FormatText: loadgen.FormatText, ast.FormatBytes: loadgen.FormatBytes, ast.FormatJSON: loadgen.FormatJSON,
}

// takeRecord reads the format of records and what of them are columns. Their keys are text.
func (spec *loadgenSource) takeRecord(st *ast.CreateSource) *repr.Error {
	value := st.Encoding.Value
	if value == nil {
		value = st.Encoding.Both
	}
	if value != nil {
		f, ok := loadgenFormats[value.Kind]
		if !ok || len(value.Options) > 0 || value.JSONArray {
			return unsupported("this FORMAT of a load generator", value.Pos).WithHint("FORMAT is TEXT, BYTES or JSON")
		}
		spec.cfg.Format = f
	}
	if key := st.Encoding.Key; key != nil && key.Kind != ast.FormatText {
		return unsupported("this KEY FORMAT of a load generator", key.Pos).WithHint("KEY FORMAT is TEXT")
	}
	for _, in := range st.Includes {
		spec.cfg.Include = append(spec.cfg.Include, loadgen.Include{What: in.Kind.String(), As: in.Alias})
	}
	return nil
}

func (spec *loadgenSource) connector(c *Coordinator) (sources.Described, *repr.Error) {
	src, err := loadgen.New(spec.cfg, c.opts.Clock)
	if err != nil {
		return nil, asError(err)
	}
	return src, nil
}

// takeTickInterval reads the time between two steps; 0 is as fast as they are taken.
func takeTickInterval(cfg *loadgen.Config, o *ast.Option) *repr.Error {
	if o.Value.Kind != ast.OptionString {
		return repr.NewError(repr.CodeInvalidParameter, "TICK INTERVAL needs an interval").WithHint("write it as in TICK INTERVAL '100 ms'").At(o.Pos)
	}
	d, err := pgfmt.ParseText(repr.TypeOf(repr.KindInterval), o.Value.Text, nil)
	if err != nil {
		return err.At(o.Value.Pos)
	}
	months, days, micros := d.IntervalParts()
	if months != 0 || days < 0 || micros < 0 || days > 1000 {
		return repr.NewError(repr.CodeInvalidParameter, "TICK INTERVAL is a time of no months, not below zero").At(o.Value.Pos)
	}
	cfg.Interval, cfg.Paced = time.Duration(days)*24*time.Hour+time.Duration(micros)*time.Microsecond, true
	return nil
}

// takeScale reads a number that need not be whole.
func takeScale(cfg *loadgen.Config, o *ast.Option) *repr.Error {
	n, err := strconv.ParseFloat(o.Value.Text, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) || o.Value.Kind != ast.OptionNumber {
		return repr.NewError(repr.CodeInvalidParameter, "SCALE FACTOR is a number above zero").At(o.Pos)
	}
	cfg.Scale = n
	return nil
}

// takeCount reads a number from 1 on.
func takeCount(to *int64, o *ast.Option) *repr.Error {
	n, err := strconv.ParseInt(o.Value.Text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/2 || o.Value.Kind != ast.OptionNumber {
		return repr.NewError(repr.CodeInvalidParameter, strings.ToUpper(o.Name)+" is a whole number from 1 on").At(o.Pos)
	}
	*to = n
	return nil
}

// takeSeed reads where chance begins.
func takeSeed(cfg *loadgen.Config, o *ast.Option) *repr.Error {
	n, err := strconv.ParseInt(o.Value.Text, 10, 64)
	if err != nil || o.Value.Kind != ast.OptionNumber {
		return repr.NewError(repr.CodeInvalidParameter, "SEED is a whole number").At(o.Pos)
	}
	cfg.Seed = uint64(n)
	return nil
}
