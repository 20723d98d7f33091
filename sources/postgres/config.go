package postgres

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pglogrepl"

	"millrace/internal/clock"
	"millrace/internal/spool"
	"millrace/repr"
	"millrace/sources"
)

// Config says what a Source reads.
type Config struct {
	Address     Address
	Publication string
	Slot        string // the name of the replication slot that belongs to the source
	Temporary   bool   // the slot goes when the source stops
	MostBytes   int64  // what rows that cannot be had may take in one transaction; 0: any

	// Spill is where transactions go that are open there and do not fit in memory. Without it the other side keeps them until they end.
	Spill *spool.Options

	Log   *slog.Logger // none when nil
	Clock clock.Clock  // the machine's when nil
}

// Source is a publication to be read. It keeps what it knows of its tables from one Run to the next.
type Source struct {
	cfg Config

	mu      sync.Mutex // guards what follows, which is changed from outside
	leads   Address
	tables  map[uint64]*table
	saved   map[string]savedRow  // what was told to be kept, by key
	refused map[uint64]*refusals // of tables that are not fed: what was kept of them
	changed bool                 // tables came or went since Run looked
	renew   bool

	// at is how far the stream was read: what committed before was handed over. It belongs to Run.
	at       pglogrepl.LSN
	handed   pglogrepl.LSN // what of it was handed over
	durable  atomic.Uint64 // what of it is safe
	held     atomic.Int64  // bytes of the rows remembered by key
	fetched  atomic.Int64  // bytes of a transaction that has not ended
	identity identity
	fresh    string // what is to be known of tables that are new in the publication
	spills   int    // pools that were made
	needed   int64  // bytes for which there was no space; 0: there was
	whole    bool   // the other side does not send what is open

	policy atomic.Pointer[sources.ErrorPolicy]
	seen   watch
}

// identity is which database system was read last.
type identity struct {
	System   string `json:"system,omitempty"`
	Timeline int32  `json:"timeline,omitempty"`

	Publication int64  `json:"publication,omitempty"` // its number: one that was made anew has another
	Altered     string `json:"altered,omitempty"`     // the transaction that altered it last

	Seen []uint32 `json:"seen,omitempty"` // the tables of it that were there when the source was made, or are read
}

// New checks a configuration.
func New(cfg Config) (*Source, error) {
	if cfg.Publication == "" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Postgres source needs a PUBLICATION").
			WithHint("CREATE PUBLICATION p FOR TABLE … makes one in the database that is read")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	return &Source{cfg: cfg, leads: cfg.Address, tables: map[uint64]*table{}, saved: map[string]savedRow{}, refused: map[uint64]*refusals{}}, nil
}

// Describe tries whether the publication can be read. The rows are in the tables, and the source has none of its own.
func (s *Source) Describe(ctx context.Context) (repr.RowDesc, [][]int, error) {
	conn, err := s.address().connect(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	defer conn.close(ctx)
	if err := conn.checkServer(ctx, s.cfg.Slot); err != nil {
		return nil, nil, err
	}
	_, err = conn.publication(ctx, s.cfg.Publication)
	return nil, nil, err
}

// Grows says that rows are taken back.
func (s *Source) Grows() bool { return false }

// Schemas is the name of the slot, which is to be kept.
func (s *Source) Schemas() (value, key string) { return s.cfg.Slot, "" }

// Offers are the tables of the publication.
func (s *Source) Offers(ctx context.Context) ([]sources.Offer, error) {
	conn, err := s.address().connect(ctx, false)
	if err != nil {
		return nil, err
	}
	defer conn.close(ctx)
	list, err := conn.upstream(ctx, s.cfg.Publication)
	if err != nil {
		return nil, err
	}
	out := make([]sources.Offer, len(list))
	for i, u := range list {
		out[i] = u.offer()
	}
	return out, nil
}

// Feed adds a table.
func (s *Source) Feed(t sources.Table) error {
	u, err := parseUpstream(t.Upstream)
	if err != nil {
		return err
	}
	made := newTable(t.ID, u, t.Columns)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := made.restore(s.saved[tableKey(t.ID)].row); err != nil {
		return err
	}
	if t.Rows != nil {
		if err := made.recall(t.Rows); err != nil {
			return err
		}
	}
	if r := s.refused[t.ID]; r != nil {
		made.refused = r
		delete(s.refused, t.ID)
	}
	s.tables[t.ID], s.changed = made, true
	return nil
}

// Starve takes a table away.
func (s *Source) Starve(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[id]; t != nil && t.refused.len() > 0 {
		s.refused[id] = t.refused
	}
	delete(s.tables, id)
	s.changed = true
}

// Renew has the next Run read all tables anew.
func (s *Source) Renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew = true
}

// Reconnect has the source connect by another address from now on.
func (s *Source) Reconnect(to Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leads, s.changed = to, true
}

// address is where the source connects.
func (s *Source) address() Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leads
}

// Durable is told how far the stream is safe.
func (s *Source) Durable(partition int32, next int64) {
	if partition == 0 {
		s.durable.Store(uint64(next))
	}
}

// Held gives the bytes of the rows remembered by key, and of a transaction that has not ended.
func (s *Source) Held() (remembered, fetched int64) { return s.held.Load(), s.fetched.Load() }

// Check tries whether an address can be read from: the connection, wal_level, the role's rights, free slots.
func Check(ctx context.Context, a Address) error {
	conn, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	defer conn.close(ctx)
	return conn.checkServer(ctx, "")
}

// Leave drops the slot.
func (s *Source) Leave(ctx context.Context) error { return DropSlot(ctx, s.address(), s.cfg.Slot) }

// DropSlot drops the slot of a source, which may be there no more. The error says what is left and how to take it away.
func DropSlot(ctx context.Context, at Address, slot string) error {
	conn, err := at.connect(ctx, false)
	if err == nil {
		defer conn.close(ctx)
		err = conn.dropSlot(ctx, slot)
	}
	if err == nil {
		return nil
	}
	return repr.NewError(repr.CodeObjectNotReady, "the replication slot \""+slot+"\" is still at "+at.String()).
		WithDetail(explain(err, at).Message).
		WithHint("It keeps the server from deleting its log. Drop it there with SELECT pg_drop_replication_slot('" + slot + "').")
}

// quoteIdent quotes a name for the other side.
func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteText quotes a string for the other side, whatever its standard_conforming_strings.
func quoteText(s string) string {
	s = strings.ReplaceAll(s, `'`, `''`)
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return `'` + s + `'`
}
