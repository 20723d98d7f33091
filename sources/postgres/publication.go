package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"

	"millrace/repr"
)

// publication is what a publication is at a moment.
type publication struct {
	number  int64  // one that was made anew has another
	altered string // the transaction that altered it last
}

// everything is what a publication has to send.
const everything = "insert, update, delete, truncate"

// publication looks at a publication.
func (c *conn) publication(ctx context.Context, name string) (publication, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	rows, err := c.query(ctx, `SELECT oid, xmin, concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
		CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END) FROM pg_publication WHERE pubname = `+quoteText(name))
	switch {
	case err != nil:
		return publication{}, err
	case len(rows) == 0:
		return publication{}, repr.NewError(repr.CodeUndefinedObject, "publication \""+name+"\" does not exist in PostgreSQL at "+c.addr.String()).
			WithHint("run CREATE PUBLICATION " + quoteIdent(name) + " FOR ALL TABLES there, or FOR TABLE …")
	case string(rows[0][2]) != everything:
		return publication{}, repr.NewError(repr.CodeObjectNotReady, "publication \""+name+"\" of PostgreSQL at "+c.addr.String()+" does not send all changes").
			WithDetail("It sends only: " + string(rows[0][2]) + ".").
			WithHint("run ALTER PUBLICATION " + quoteIdent(name) + " SET (publish = '" + everything + "') there; a source that has read it needs ALTER SOURCE … RESNAPSHOT then")
	}
	return publication{number: number(rows[0][0]), altered: string(rows[0][1])}, nil
}

// checkPublication makes sure that a publication is the one that was read, and as it was: it may have left changes out meanwhile.
func (r *reader) checkPublication(now publication) error {
	of := "publication \"" + r.cfg.Publication + "\" of PostgreSQL at " + r.address().String()
	switch was := r.identity; {
	case was.Publication != 0 && now.number != was.Publication:
		return lost(of + " was dropped and made anew")
	case was.Altered != "" && now.altered != was.Altered:
		return lost(of + " was altered by ALTER PUBLICATION … SET, RENAME or OWNER, and may have sent less")
	}
	return nil
}

// checkPublished makes sure that the tables are in the publication, and were all the time: the changes of one that was taken out are
// not sent, also when it was put back.
func (r *reader) checkPublished(ctx context.Context, c *conn) error {
	now, err := c.publication(ctx, r.cfg.Publication)
	if err != nil {
		return err
	}
	if err := r.checkPublication(now); err != nil {
		return err
	}
	if err := r.checkPartitions(ctx, c); err != nil {
		return err
	}
	there, err := c.published(ctx, r.cfg.Publication)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteFresh(there)
	if r.renew {
		return nil
	}
	for _, t := range r.tables {
		is, ok := there[t.up.OID]
		entries := is.entries
		switch {
		case t.joined == 0:
		case !ok:
			return repr.NewError(repr.CodeObjectNotReady, "table "+t.up.String()+" is not in publication \""+r.cfg.Publication+"\" any more").
				WithHint("put it back there with ALTER PUBLICATION … ADD TABLE, and run ALTER SOURCE … RESNAPSHOT here; or drop the table here")
		case !stays(t.up.Entries, entries):
			return lost("table " + t.up.String() + " was taken out of publication \"" + r.cfg.Publication + "\" and put back, or its columns or its WHERE there are others")
		}
	}
	return nil
}

// stays says whether something that put a table into a publication still does. It has a number, and who puts it in anew another.
func stays(was, now []int64) bool {
	return len(was) == 0 || slices.ContainsFunc(was, func(n int64) bool { return slices.Contains(now, n) }) // an earlier release wrote none down
}

// mostFresh is how many tables a hint names.
const mostFresh = 5

// noteFresh notes which tables have come into the publication since the source was made and are not read: nobody has decided on them. Who
// calls it holds mu.
func (r *reader) noteFresh(there map[uint32]published) {
	if r.identity.Seen == nil { // an earlier release wrote none down, or the source is new
		r.identity.Seen = slices.Sorted(maps.Keys(there))
	}
	for _, t := range r.tables { // one that is read has been decided on, also when it is dropped here
		if at, ok := slices.BinarySearch(r.identity.Seen, t.up.OID); !ok {
			r.identity.Seen = slices.Insert(slices.Clone(r.identity.Seen), at, t.up.OID)
		}
	}
	var names []string
	for id, p := range there {
		if _, ok := slices.BinarySearch(r.identity.Seen, id); !ok {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	was := r.fresh
	if r.fresh = freshHint(names); r.fresh != was && r.fresh != "" {
		r.log().Warn("tables that are new in the publication are not read", "slot", r.cfg.Slot, "tables", names)
	}
}

// freshHint says which tables are new, and how one is read; empty when there is none.
func freshHint(names []string) string {
	if len(names) == 0 {
		return ""
	}
	list := strings.Join(names[:min(len(names), mostFresh)], ", ")
	if len(names) > mostFresh {
		list += ", …"
	}
	return "tables that are new in the publication are not read: " + list + "; CREATE TABLE … FROM SOURCE … (REFERENCE " + names[0] + ") reads one"
}

// published is a table of a publication.
type published struct {
	name    string
	entries []int64 // the numbers of what puts it there
}

// published are the tables of a publication, and what puts each into it.
func (c *conn) published(ctx context.Context, name string) (map[uint32]published, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	release, err := c.release(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.query(ctx, `SELECT c.oid, `+entriesOf(release)+`, quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_publication_tables p
		JOIN pg_publication b ON b.pubname = p.pubname
		JOIN pg_namespace n ON n.nspname = p.schemaname
		JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename WHERE p.pubname = `+quoteText(name))
	out := map[uint32]published{}
	for _, r := range rows {
		out[uint32(number(r[0]))] = published{name: string(r[2]), entries: numbers(r[1])}
	}
	return out, err
}

// release15 is the first release in which a publication has schemas, lists of columns and conditions.
const release15 = 150000

// release is the number of the other side's release.
func (c *conn) release(ctx context.Context) (int64, error) {
	rows, err := c.query(ctx, "SELECT current_setting('server_version_num')")
	if err != nil {
		return 0, err
	}
	return number(rows[0][0]), nil
}

// entriesOf is an expression for the numbers of what puts table c into publication b: the table itself, one that it is a partition
// of, or the schema of either.
func entriesOf(release int64) string {
	const tables = "(SELECT c.oid UNION SELECT relid FROM pg_partition_ancestors(c.oid) AS a(relid))"
	entries := "SELECT r.oid FROM pg_publication_rel r WHERE r.prpubid = b.oid AND r.prrelid IN " + tables
	if release >= release15 {
		entries += ` UNION ALL SELECT s.oid FROM pg_publication_namespace s JOIN pg_class m ON m.relnamespace = s.pnnspid
			WHERE s.pnpubid = b.oid AND m.oid IN ` + tables
	}
	return "(SELECT string_agg(e.oid::text, ' ') FROM (" + entries + ") e)"
}
