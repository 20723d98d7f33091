package coord

import (
	"context"
	"strconv"
	"strings"
	"time"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
)

// Shares of the memory limit, in percent. What is kept and maintained may take what statements leave; these give way first.
const (
	shareStatement  = 25 // one statement that runs once, or one transaction
	shareStatements = 40 // all of them together
	sharePressed    = 85 // of the whole: beyond it statements get no more
	shareFlows      = 95 // of the whole: beyond it a maintained view breaks
)

// memory are the budgets of a coordinator. They are parts of one, which is that of the server.
type memory struct {
	server     *budget.Budget
	kept       *budget.Budget // collections, and what waits for their next tick
	flows      *budget.Budget // the operators of maintained views, and the arrangements that they share
	statements *budget.Budget
	limit      int64 // 0: none
}

func newMemory(limit int64) *memory {
	m := &memory{server: budget.New("the server", limit), limit: limit}
	m.kept = m.server.Part("the collections", 0, 0)
	m.flows = m.server.Part("the views", 0, m.share(shareFlows))
	m.statements = m.server.Part("all statements together", m.share(shareStatements), m.share(sharePressed))
	return m
}

// share is some percent of the limit; 0 when there is none.
func (m *memory) share(percent int64) int64 { return m.limit / 100 * percent }

// statementMemory is what one statement of the session may hold; 0: any.
func (s *Session) statementMemory() int64 {
	most := s.c.memory.share(shareStatement)
	v, _ := s.settings.get(settingQueryMemory)
	if n, ok := parseMemory(v); ok && n > 0 && (most == 0 || n < most) {
		return n
	}
	return most
}

// How long a statement waits for room beside others, and how often it looks.
const (
	roomTimeout = 5 * time.Second
	roomEvery   = 20 * time.Millisecond
)

// statementBudget is the memory of a statement that runs once. While others hold nearly all there is for them, it waits a little
// for them to end. Who asks closes it.
func (s *Session) statementBudget(ctx context.Context) (*budget.Budget, *repr.Error) {
	all := s.c.memory.statements
	for waited := time.Duration(0); all.Most() > 0 && all.Held() > all.Most()/4*3; waited += roomEvery {
		if waited >= roomTimeout {
			return nil, repr.NewError(repr.CodeOutOfMemory, "out of memory: other statements hold nearly all that statements may").
				WithDetail("They hold " + memoryText(all.Held()) + " of " + memoryText(all.Most()) + ".").
				WithHint("Try again when they have ended; the limit follows from --memory-limit.")
		}
		select {
		case <-s.c.opts.Clock.After(roomEvery):
		case <-ctx.Done():
			return nil, ctxError(ctx)
		}
	}
	return all.Part(dataflow.StatementMemory, s.statementMemory(), 0), nil
}

// transactionBudget is the memory of what the open transaction has read and is to write; the end of the transaction closes it.
func (s *Session) transactionBudget(ctx context.Context) (*budget.Budget, *repr.Error) {
	if s.tx.memory != nil {
		return s.tx.memory, nil
	}
	b, err := s.statementBudget(ctx)
	s.tx.memory = b
	return b, err
}

// dropWrites forgets what the transaction has read and was to write.
func (s *Session) dropWrites() {
	s.tx.hold, s.tx.reads, s.tx.writes = nil, nil, nil
	s.tx.memory.Close()
	s.tx.memory = nil
}

// takeRoom counts bytes towards a statement; it is an error when that is too much.
func takeRoom(b *budget.Budget, bytes int64, what string) *repr.Error {
	if b.Take(bytes); b.Excess() != nil {
		return dataflow.OutOfMemory(b, what)
	}
	return nil
}

// copied is the whole of a snapshot as a batch, which counts towards a statement.
func copied(b *budget.Budget, s *arrangement.Snapshot, of string) (arrangement.Batch, *repr.Error) {
	if !b.Room(s.Bytes()) {
		return arrangement.Batch{}, dataflow.OutOfMemory(b, "the rows of "+of+", which takes "+memoryText(s.Bytes()))
	}
	batch := s.Batch()
	b.Take(int64(batch.Bytes()))
	return batch, nil
}

// budgetRows are rows that a statement holds memory for.
type budgetRows struct {
	Rows
	memory *budget.Budget
}

// Close frees the rows.
func (r *budgetRows) Close() {
	r.Rows.Close()
	r.memory.Close()
}

// settingQueryMemory names the setting of what a statement may hold.
const settingQueryMemory = "query_memory"

// memoryUnits are those of PostgreSQL, largest first.
var memoryUnits = []struct {
	name string
	size int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}}

// parseMemory reads PostgreSQL's sizes: a plain number is kilobytes.
func parseMemory(v string) (int64, bool) {
	v = strings.TrimSpace(v)
	size := int64(1 << 10)
	for _, u := range memoryUnits {
		if rest, ok := strings.CutSuffix(v, u.name); ok {
			v, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n * size, err == nil && n >= 0 && n <= (1<<62)/size
}

// memoryText writes a size as PostgreSQL does, in the largest unit that gives a whole number.
func memoryText(n int64) string {
	for _, u := range memoryUnits {
		if n >= u.size && n%u.size == 0 {
			return itoa(n/u.size) + u.name
		}
	}
	return "0"
}

func checkMemory(v string) (string, *repr.Error) {
	n, ok := parseMemory(v)
	if !ok {
		return "", (&repr.Error{}).WithHint("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
	}
	return memoryText(n), nil
}

// checkQueryMemory lets a session have less than the server gives a statement, not more.
func (s *settings) checkQueryMemory(v string) *repr.Error {
	most := s.c.memory.share(shareStatement)
	if n, ok := parseMemory(v); !ok || most == 0 || n > 0 && n <= most {
		return nil
	}
	return repr.NewError(repr.CodeInvalidParameter, "invalid value for parameter \""+settingQueryMemory+"\": \""+v+"\"").
		WithHint("a statement may have up to " + memoryText(most) + " here, which follows from --memory-limit")
}
