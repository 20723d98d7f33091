package webhook

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"millrace/repr"
	"millrace/repr/format/json"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
	"millrace/sources"
)

// mostNamed is how many bad lines an error names.
const mostNamed = 10

// Rows are those that a request becomes; the headers are by names in small letters. An error names what is wrong, and where.
func (s *Source) Rows(headers map[string]string, body []byte) ([]sources.Update, *repr.Error) {
	values, err := bodies[s.cfg.Format](body)
	if err != nil {
		return nil, err
	}
	tail, err := s.headers(headers)
	if err != nil {
		return nil, err
	}
	out := make([]sources.Update, len(values))
	for i, v := range values {
		out[i] = sources.Update{Row: append(repr.Append(nil, v), tail...), Diff: 1}
	}
	return out, nil
}

// bodies make values of a body, by its format.
var bodies = map[Format]func([]byte) ([]repr.Datum, *repr.Error){
	FormatJSON: jsonLines, FormatJSONArray: jsonArray,
	FormatText: func(body []byte) ([]repr.Datum, *repr.Error) {
		text, err := TextOf(body)
		return []repr.Datum{text}, err
	},
	FormatBytes: func(body []byte) ([]repr.Datum, *repr.Error) {
		return []repr.Datum{repr.Bytea(slices.Clone(body))}, nil
	},
}

// jsonLines reads a value, however many lines it has, or one on each line that is not empty.
func jsonLines(body []byte) ([]repr.Datum, *repr.Error) {
	whole, err := jsonb.Normalize(nil, body)
	if err == nil {
		return []repr.Datum{repr.JSONB(whole)}, nil
	}
	lines := bytes.Split(body, []byte("\n"))
	var out []repr.Datum
	var bad []string
	var first error
	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		norm, err := jsonb.Normalize(nil, line)
		if err == nil {
			out = append(out, repr.JSONB(norm))
			continue
		}
		if first == nil {
			first = err
		}
		bad = append(bad, fmt.Sprint(i+1))
	}
	switch {
	case len(bad) == 0 && len(out) > 0:
		return out, nil
	case len(bad) == 0:
		return nil, repr.NewError(repr.CodeInvalidText, "the body is empty")
	case len(out) == 0 && len(bad) == 1:
		return nil, json.Error(first)
	}
	return nil, badPlaces("line", "lines", bad, first)
}

// badPlaces names the lines or elements that are no values.
func badPlaces(one, many string, places []string, first error) *repr.Error {
	e := *json.Error(first)
	what := many
	if len(places) == 1 {
		what = one
	}
	list := strings.Join(places[:min(len(places), mostNamed)], ", ")
	if n := len(places) - mostNamed; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	e.Message = what + " " + list + ": " + e.Message
	return e.WithHint("nothing of the request was taken: send it again without what is wrong")
}

// jsonArray reads the elements of a list.
func jsonArray(body []byte) ([]repr.Datum, *repr.Error) {
	norm, err := jsonb.Normalize(nil, body)
	if err != nil {
		return nil, json.Error(err)
	}
	if len(norm) == 0 || norm[0] != '[' {
		return nil, repr.NewError(repr.CodeInvalidText, "the body is no JSON array")
	}
	var out []repr.Datum
	for e := range jsonb.Elems(norm) {
		out = append(out, repr.JSONB(slices.Clone(e)))
	}
	return out, nil
}

// headers packs the columns of headers.
func (s *Source) headers(headers map[string]string) ([]byte, *repr.Error) {
	var dst []byte
	if s.cfg.Headers {
		all, err := HeadersOf(s.included(headers))
		if err != nil {
			return nil, err
		}
		dst = repr.Append(dst, all)
	}
	for _, h := range s.cfg.Include {
		value, ok := headers[h.Name]
		switch {
		case !ok:
			dst = repr.Append(dst, repr.Null)
		case h.Bytes:
			dst = repr.Append(dst, repr.Bytea([]byte(value)))
		default:
			text, err := TextOf([]byte(value))
			if err != nil {
				return nil, inHeader(h.Name, err)
			}
			dst = repr.Append(dst, text)
		}
	}
	return dst, nil
}

// included are the headers of the column headers.
func (s *Source) included(headers map[string]string) map[string]string {
	if s.cfg.Only == nil && s.cfg.Without == nil {
		return headers
	}
	out := map[string]string{}
	for name, value := range headers {
		if !slices.Contains(s.cfg.Without, name) && (s.cfg.Only == nil || slices.Contains(s.cfg.Only, name)) {
			out[name] = value
		}
	}
	return out
}

func inHeader(name string, err *repr.Error) *repr.Error {
	return repr.NewError(err.Code, "header \""+name+"\": "+err.Message)
}

// TextOf is what was sent as text, which it has to be.
func TextOf(b []byte) (repr.Datum, *repr.Error) {
	if err := pgfmt.CheckText(b); err != nil {
		return repr.Null, err
	}
	return repr.Text(string(b)), nil
}

// HeadersOf are headers as a jsonb object. They have to be text.
func HeadersOf(headers map[string]string) (repr.Datum, *repr.Error) {
	members := make([]jsonb.Member, 0, len(headers))
	for name, value := range headers {
		if err := pgfmt.CheckText([]byte(value)); err != nil {
			return repr.Null, inHeader(name, err)
		}
		members = append(members, jsonb.Member{Key: name, Value: jsonb.AppendString(nil, value)})
	}
	return repr.JSONB(jsonb.AppendObject(nil, members)), nil
}
