package file

import (
	"context"
	"strconv"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/deadletter"
)

// mostForgotten is how many files that were read to their end are remembered for their letters before it is made sure that they are
// not read again.
const mostForgotten = 1000

// Follow has bad records dealt with in this way from the next one on. Any goroutine may call it.
func (s *Source) Follow(p sources.ErrorPolicy) { s.policy.Store(&p) }

// following is the policy.
func (s *Source) following() sources.ErrorPolicy {
	if p := s.policy.Load(); p != nil {
		return *p
	}
	return sources.ErrorPolicy{}
}

// newOutbox is where the bad records go. A record is named by the number of its file, when that was found, and the byte at which it
// begins.
func (r *reader) newOutbox() *deadletter.Outbox {
	return deadletter.New(deadletter.Config{Reads: r.place(r.cfg.Pattern), Policy: r.following, Prune: r.prune, Clock: r.cfg.Clock, Report: func(st sources.State) {
		r.said = st
		r.out.Report(st)
	}})
}

// letterPlace names a file for ever: a number may be given to another file behind a backup.
func (f *file) letterPlace() string {
	return strconv.Itoa(int(f.number)) + "@" + strconv.FormatInt(f.kept.Found, 10)
}

// letter has a bad record written to the topic of dead letters. Its text is that of the buffer, until the batch is handed over.
func (r *reader) letter(f *file, text []byte, bad *repr.Error, met int64) {
	p := r.following()
	if !p.Buries() {
		return
	}
	where := []deadletter.Fact{{Name: "source", Value: p.Source}, {Name: "file", Value: f.name}}
	if !f.uncounted {
		where = append(where, deadletter.Fact{Name: "line", Value: strconv.FormatInt(f.kept.Line+1, 10)})
	}
	where = append(where, deadletter.Fact{Name: "offset", Value: strconv.FormatInt(f.at, 10)})
	r.dead = append(r.dead, deadletter.Letter{Place: f.letterPlace(), At: f.at, Value: text, Where: where, Error: reasonOf(bad), Code: bad.Code, Met: met})
}

// push hands a batch of a file over, with its letters.
func (r *reader) push(ctx context.Context, b *sources.Batch, f *file) error {
	if len(r.dead) > 0 {
		b.Bury = func(ctx context.Context) error { return r.bury(ctx, b, f) }
	}
	return r.out.Push(ctx, b)
}

// bury writes the bad records of a batch of a file to the topic of dead letters. The number of the file has to be kept before: after a
// crash the file would have another one, and its letters would be written again.
func (r *reader) bury(ctx context.Context, b *sources.Batch, f *file) error {
	if r.following().DeadLetters == "" {
		r.dead = r.dead[:0]
		return nil
	}
	if !f.numbered || r.ended >= mostForgotten {
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	n, err := r.outbox.Write(ctx, r.dead)
	if err != nil {
		return err
	}
	f.lettered = f.lettered || n > 0
	b.Letters = n
	clear(r.dead)
	r.dead = r.dead[:0]
	return nil
}

// settle waits until what was handed over is kept: the numbers of files, and which were read to their end.
func (r *reader) settle(ctx context.Context) error {
	if s, ok := r.out.(sources.Settler); ok {
		if err := s.Settle(ctx); err != nil {
			return err
		}
	}
	for _, f := range r.files {
		f.numbered, f.over = true, f.handed
	}
	r.ended = 0
	return nil
}

// handedAll notes that all of a file was handed over.
func (r *reader) handedAll(f *file) {
	if !f.handed && f.lettered {
		r.ended++
	}
	f.handed = true
}

// prune forgets how far the letters of files are written that are not read again.
func (r *reader) prune(written map[string]int64) {
	for _, f := range r.files {
		if f.over {
			delete(written, f.letterPlace())
		}
	}
}

// reasonOf is the text of an error as a row of errors has it.
func reasonOf(e *repr.Error) string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + ". " + e.Detail
}
