package coord

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/repr"
	"millrace/sources"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// errorPolicy is what a source does about records that cannot be decoded, as its options say.
type errorPolicy struct {
	sources.ErrorPolicy
	mostRate  float64       // of what is read, so much may be bad; 1: all of it
	mostRows  int64         // of <source>_errors; what is older goes
	mostBytes int64         // of its rows
	keepFor   time.Duration // how long a row stays; 0: as long as there is room
	lettersTo ast.Name      // the connection to where the topic of dead letters is; none: where the source reads
}

// What is kept of bad records when the source does not say.
const (
	errorRows  = 100_000
	errorBytes = 64 << 20
)

// The names of the options.
const (
	optionOnError     = "on error"
	optionErrorRate   = "max error rate"
	optionErrorRows   = "retain errors"
	optionErrorBytes  = "retain errors bytes"
	optionErrorAge    = "retain errors for"
	optionDeadLetters = "dead letter topic"
	optionLettersTo   = "dead letter connection"
)

// errorOptions read the options about bad records.
var errorOptions = map[string]func(p *errorPolicy, o *ast.Option) *repr.Error{
	optionOnError:     takeOnError,
	optionErrorRate:   takeErrorRate,
	optionErrorRows:   func(p *errorPolicy, o *ast.Option) *repr.Error { return takeBound(&p.mostRows, o) },
	optionErrorBytes:  func(p *errorPolicy, o *ast.Option) *repr.Error { return takeBound(&p.mostBytes, o) },
	optionDeadLetters: takeDeadLetters,
	optionLettersTo:   takeLettersTo,
	optionErrorAge: func(p *errorPolicy, o *ast.Option) (err *repr.Error) {
		p.keepFor, err = retainInterval(*o, "RETAIN ERRORS FOR")
		return err
	},
}

func isErrorOption(name string) bool { return errorOptions[name] != nil }

// errorPolicyOf reads the options of a source that are about bad records.
func errorPolicyOf(st *ast.CreateSource) (errorPolicy, *repr.Error) {
	p := errorPolicy{mostRate: 1, mostRows: errorRows, mostBytes: errorBytes}
	for _, list := range [][]ast.Option{st.From.Options, st.Options} {
		for i := range list {
			o := &list[i]
			if !isErrorOption(o.Name) {
				continue
			}
			if err := errorOptions[o.Name](&p, o); err != nil {
				return p, err
			}
			if o.Name == optionOnError && p.OnError == sources.NullField && !hasFields(st) {
				return p, unsupported("ON ERROR = null_field but of a Kafka source of JSON with columns or CSV, with ENVELOPE NONE or UPSERT,", o.Pos)
			}
			if read, ok := st.From.TopicName(); ok && o.Name == optionDeadLetters && read == p.DeadLetters {
				return p, repr.NewError(repr.CodeInvalidParameter, "the source cannot write dead letters to the topic that it reads").At(o.Pos)
			}
		}
	}
	return p, checkLetters(st, &p)
}

// checkLetters refuses dead letters that cannot be, and those of which it is not said where they go.
func checkLetters(st *ast.CreateSource, p *errorPolicy) *repr.Error {
	all := append(slices.Clone(st.From.Options), st.Options...)
	topic, hasTopic := ast.FindOption(all, optionDeadLetters)
	to, hasConnection := ast.FindOption(all, optionLettersTo)
	switch why := neverBad[st.From.Kind]; {
	case hasTopic && why != "":
		return unsupported("DEAD LETTER TOPIC of a source from "+st.From.Kind.String(), topic.Pos).WithHint(why)
	case hasConnection && !hasTopic:
		return repr.NewError(repr.CodeInvalidParameter, "DEAD LETTER CONNECTION goes with DEAD LETTER TOPIC").
			WithHint("name the topic: DEAD LETTER TOPIC = '…'; or RESET both").At(to.Pos)
	case hasTopic && p.lettersTo.IsZero() && st.From.Kind != ast.ExternalKafka:
		return repr.NewError(repr.CodeInvalidParameter, "a source from "+st.From.Kind.String()+" needs a DEAD LETTER CONNECTION to write to a DEAD LETTER TOPIC").
			WithHint("CREATE CONNECTION k TO KAFKA (BROKER '…') makes one; write WITH (DEAD LETTER TOPIC = '" + p.DeadLetters + "', DEAD LETTER CONNECTION = k)").At(topic.Pos)
	}
	return nil
}

// lettersOf is the connection by which a source writes its dead letters, when it names one.
func (s *Session) lettersOf(st *ast.CreateSource) (*connectionSpec, uint64, *repr.Error) {
	p, err := errorPolicyOf(st)
	if err != nil || p.lettersTo.IsZero() {
		return nil, 0, err
	}
	kind := ast.ConnectionKafka
	return s.connection(p.lettersTo, &kind)
}

// neverBad are sources of which no record is bad, and why.
var neverBad = map[ast.ExternalKind]string{
	ast.ExternalWebhook:       "a request in which something is wrong is answered with what it is, and nothing of it is taken",
	ast.ExternalLoadGenerator: "what it makes up is never bad",
}

// hasFields says whether the values of a source have fields that can be decoded one without the other.
func hasFields(st *ast.CreateSource) bool {
	value := st.Encoding.Value
	if value == nil {
		value = st.Encoding.Both
	}
	if value == nil || st.From.Kind != ast.ExternalKafka {
		return false
	}
	if e := st.Envelope; e != nil && e.Kind != ast.EnvelopeNone && e.Kind != ast.EnvelopeUpsert {
		return false
	}
	return value.Kind == ast.FormatCSV || value.Kind == ast.FormatJSON && (len(st.Columns) > 0 || len(value.Options) > 0)
}

func takeOnError(p *errorPolicy, o *ast.Option) *repr.Error {
	switch strings.ToLower(o.Value.Text) {
	case "quarantine":
		p.OnError = sources.Quarantine
	case "fail":
		p.OnError = sources.Fail
	case "null_field":
		p.OnError = sources.NullField
	default:
		return repr.NewError(repr.CodeInvalidParameter, "ON ERROR is quarantine, null_field or fail").
			WithHint("quarantine reads on and keeps the record in <source>_errors, null_field makes NULL of a field besides, fail waits in front of it").At(o.Pos)
	}
	return nil
}

// takeErrorRate reads a part of one, or of a hundred: 0.01, '1%'.
func takeErrorRate(p *errorPolicy, o *ast.Option) *repr.Error {
	number, percent := strings.CutSuffix(strings.TrimSpace(o.Value.Text), "%")
	rate, err := strconv.ParseFloat(number, 64)
	if percent {
		rate /= 100
	}
	if err != nil || math.IsNaN(rate) || rate < 0 || rate > 1 || o.Value.Kind != ast.OptionNumber && o.Value.Kind != ast.OptionString {
		return repr.NewError(repr.CodeInvalidParameter, "MAX ERROR RATE is a number from 0 to 1, or a percentage").
			WithHint("write it as in MAX ERROR RATE = 0.01, or '1%'").At(o.Pos)
	}
	p.mostRate = rate
	return nil
}

// takeBound reads a number of rows or bytes.
func takeBound(to *int64, o *ast.Option) *repr.Error {
	n, err := strconv.ParseInt(o.Value.Text, 10, 64)
	if err != nil || n < 0 || o.Value.Kind != ast.OptionNumber {
		return repr.NewError(repr.CodeInvalidParameter, strings.ToUpper(o.Name)+" is a number from 0 on").At(o.Pos)
	}
	*to = n
	return nil
}

func takeDeadLetters(p *errorPolicy, o *ast.Option) *repr.Error {
	if o.Value.Kind != ast.OptionString || o.Value.Text == "" {
		return repr.NewError(repr.CodeInvalidParameter, "DEAD LETTER TOPIC is the name of a topic").
			WithHint("write it as in DEAD LETTER TOPIC = 'orders-dead'").At(o.Pos)
	}
	p.DeadLetters = o.Value.Text
	return nil
}

// takeLettersTo reads the name of a connection.
func takeLettersTo(p *errorPolicy, o *ast.Option) *repr.Error {
	switch v := o.Value; {
	case v.Kind == ast.OptionName:
		p.lettersTo = v.Name
	case v.Kind == ast.OptionWord && !strings.Contains(v.Text, " "):
		p.lettersTo = ast.Name{At: v.At, Parts: []string{v.Text}}
	default:
		return repr.NewError(repr.CodeInvalidParameter, "DEAD LETTER CONNECTION is the name of a connection").
			WithHint("write it as in DEAD LETTER CONNECTION = k, where CREATE CONNECTION k TO KAFKA (BROKER '…') has made one").At(o.Pos)
	}
	return nil
}

// policyIn reads the policy of a source from the statement that made it, which was read when it was made.
func policyIn(statement string) errorPolicy {
	if parsed, err := parse.Parse(statement); err == nil && len(parsed) == 1 {
		if st, ok := parsed[0].Stmt.(*ast.CreateSource); ok {
			if p, err := errorPolicyOf(st); err == nil {
				return p
			}
		}
	}
	return errorPolicy{mostRate: 1, mostRows: errorRows, mostBytes: errorBytes}
}

// dropOptions takes options out of a list.
func dropOptions(list []ast.Option, gone func(name string) bool) []ast.Option {
	return slices.DeleteFunc(slices.Clone(list), func(o ast.Option) bool { return gone(o.Name) })
}

// Bounds of what a rate is judged by.
const (
	rateLeast  = 1_000  // records; of fewer nothing is said
	rateWindow = 10_000 // records, about
)

// warden holds a source up whose records are too bad for its policy.
type warden struct {
	mu      sync.Mutex // guards what follows
	policy  errorPolicy
	altered chan struct{}               // closed when the policy becomes another
	window  [2]struct{ all, bad int64 } // of about the last rateWindow records: the half that is full, and the one that fills
}

func newWarden(p errorPolicy) *warden { return &warden{policy: p, altered: make(chan struct{})} }

// now is the policy.
func (w *warden) now() errorPolicy {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.policy
}

// alter makes the policy another. What was read before does not count any more.
func (w *warden) alter(p errorPolicy) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.policy = p
	clear(w.window[:])
	close(w.altered)
	w.altered = make(chan struct{})
}

// refusal says why a batch must wait, and for what; nil when it need not. itself says that the connector stops at a bad record.
func (w *warden) refusal(b *sources.Batch, itself, again bool) (*repr.Error, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.Bad > 0 && w.policy.OnError == sources.Fail && !itself {
		return errFirstBad(b), w.altered
	}
	if !again {
		if w.window[1].all >= rateWindow/2 {
			w.window[0] = w.window[1]
			w.window[1].all, w.window[1].bad = 0, 0
		}
		w.window[1].all += b.Records
		w.window[1].bad += b.Bad
	}
	all, bad := w.window[0].all+w.window[1].all, w.window[0].bad+w.window[1].bad
	if b.Bad == 0 || all < rateLeast || float64(bad) <= w.policy.mostRate*float64(all) {
		return nil, nil
	}
	return repr.NewError(repr.CodeInvalidText, itoa(bad)+" of the last "+itoa(all)+" records could not be decoded, which is more than MAX ERROR RATE allows").
		WithHint("ALTER SOURCE … SET (MAX ERROR RATE = …), or RESET, goes on behind what was read"), w.altered
}

// errFirstBad is the error of a source that stops at bad records.
func errFirstBad(b *sources.Batch) *repr.Error {
	text := "a record could not be decoded"
	for _, u := range b.Errors {
		if u.Diff > 0 {
			row := repr.DecodeRow(nil, u.Row)
			text += ": " + string(row[1].Bytes())
			break
		}
	}
	return repr.NewError(repr.CodeInvalidText, text).
		WithHint("ALTER SOURCE … SET (ON ERROR = quarantine) reads on, and keeps it in <source>_errors")
}

// admit waits until the policy of the source takes a batch.
func (r *sourceRun) admit(ctx context.Context, b *sources.Batch) error {
	h, itself := r.connector.(sources.Halting)
	itself = itself && h.Halts()
	for again := false; ; again = true {
		why, altered := r.warden.refusal(b, itself, again)
		if why == nil {
			if again {
				r.Report(sources.State{Status: "running"})
			}
			return nil
		}
		r.Report(sources.State{Status: "failed", Error: why.Message, Hint: why.Hint})
		select {
		case <-altered:
			r.c.turn(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// policyFor is the policy as the connector is told it.
func (r *sourceRun) policyFor(p errorPolicy) sources.ErrorPolicy {
	out := p.ErrorPolicy
	if out.DeadLetters == "" {
		return out
	}
	if r.writer == "" {
		name := r.c.identity.data
		if name == "" { // nothing is kept, so the next start reads everything again
			name, _ = newName(r.c.opts.Random) // without chance there is one run of the server
		}
		r.writer = "millrace-dead-" + name + "-" + itoa(int64(r.id))
	}
	out.Writer, out.Source = r.writer, r.col.name
	if r.letters != nil {
		to, err := r.c.brokerOptions(r.letters)
		if err != nil {
			r.c.opts.Log.Error("dead letters cannot be written", "object", r.col.name, "err", err)
			return sources.ErrorPolicy{OnError: p.OnError}
		}
		out.Broker = &to
	}
	return out
}

// follow has the source go by a policy from now on. It runs in the loop.
func (r *sourceRun) follow(p errorPolicy) {
	r.warden.alter(p)
	r.tellPolicy()
	r.c.queued = true // for what is not to be kept any more
}

// tellPolicy tells the connector the policy. It runs in the loop.
func (r *sourceRun) tellPolicy() {
	if f, ok := r.connector.(sources.Follower); ok {
		f.Follow(r.policyFor(r.warden.now()))
	}
}
