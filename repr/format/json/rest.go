package json

import (
	"slices"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// maxNames bounds the names of members that are noted.
const maxNames = 1000

// rest is what of a message no column has. Of its members some are known all the same: those that became columns after rows were
// packed without them, whose values must fit, and those that are left out on purpose.
type rest struct {
	known map[string]*repr.Column // nil for a member that is left out
	noted map[string]bool         // names of members that nothing is known of
	fresh []string                // those of them that nobody was told of

	text []byte // an object of what there is, as it was written; empty for nothing
	norm []byte
	put  []value

	packed []byte
}

// value is what a member that is known has.
type value struct {
	of  *repr.Column
	raw []byte
}

// KeepRest has the decoder keep what of a message no column has; members of some names are left out.
func (c *Columns) KeepRest(without []string) {
	c.rest = &rest{known: map[string]*repr.Column{}, noted: map[string]bool{}}
	for _, name := range without {
		c.rest.known[name] = nil
	}
}

// Add says of members in the rest what type they have from now on: a message in which one does not fit is bad.
func (c *Columns) Add(cols repr.RowDesc) {
	for i := range cols {
		c.rest.known[cols[i].Name] = &cols[i]
		delete(c.rest.noted, cols[i].Name)
	}
	c.rest.fresh = slices.DeleteFunc(c.rest.fresh, func(name string) bool { return !c.rest.noted[name] })
}

// Extra gives the names of members that no column has, each once.
func (c *Columns) Extra() []string {
	out := c.rest.fresh
	c.rest.fresh = nil
	return out
}

// AppendRest packs the rest of the message that was decoded last: an object, or NULL when nothing is left.
func (c *Columns) AppendRest(dst []byte) []byte {
	if len(c.rest.text) == 0 {
		return repr.Append(dst, repr.Null)
	}
	return repr.Append(dst, repr.JSONB(c.rest.norm))
}

func (r *rest) begin() { r.text, r.put = r.text[:0], r.put[:0] }

// take adds a member that is no column.
func (r *rest) take(p *jsonb.Part) {
	key, plain := jsonb.PlainString(p.Key)
	if !plain {
		norm, err := jsonb.Normalize(r.norm[:0], p.Key)
		if err != nil {
			return // a name that is no text
		}
		r.norm = norm
		key = jsonb.Unquote(norm)
	}
	of, known := r.known[string(key)]
	switch {
	case known && of == nil:
		return
	case known:
		r.put = append(r.put, value{of, p.Value})
	case len(key) > 0 && !r.noted[string(key)] && len(r.noted) < maxNames:
		r.noted[string(key)] = true
		r.fresh = append(r.fresh, string(key))
	}
	sep := byte(',')
	if len(r.text) == 0 {
		sep = '{'
	}
	r.text = append(append(append(append(r.text, sep), p.Key...), ':'), p.Value...)
}

// checkRest sees that the rest is JSON, and that the members whose types are known fit.
func (c *Columns) checkRest() error {
	r := c.rest
	for i := range r.put {
		var failed *repr.Error // what is packed is not kept: the value is in the rest
		if r.packed, failed = c.append(r.packed[:0], r.put[i].of, r.put[i].raw); failed != nil {
			return inField(r.put[i].of.Name, failed)
		}
	}
	if len(r.text) == 0 {
		return nil
	}
	r.text = append(r.text, '}')
	norm, err := jsonb.Normalize(r.norm[:0], r.text)
	if err != nil {
		return Error(err)
	}
	r.norm = norm
	return nil
}
