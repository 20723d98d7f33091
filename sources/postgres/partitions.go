package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pglogrepl"

	"millrace/repr"
)

// A publication with publish_via_partition_root sends what changes in the partitions of a table as changes of the table, but says nothing
// when a partition with rows is attached, detached or dropped, or is truncated by itself. So it is written down which partitions a table
// has, and in which file each lies: TRUNCATE gives it another one. One that was made as a partition has no rows that were not sent.

// leaf is a partition without partitions of its own.
type leaf struct {
	file int64
	made bool // as a partition, and not attached
}

// leaves are the partitions of the partitioned tables of a publication, by the number of the table and of the partition.
func (c *conn) leaves(ctx context.Context, publication string) (map[uint32]map[uint32]leaf, error) {
	rows, err := c.query(ctx, `WITH RECURSIVE tree(root, relid, made) AS (
			SELECT c.oid, c.oid, true FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
				JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename AND c.relkind = 'p' WHERE p.pubname = `+quoteText(publication)+`
			UNION ALL
			SELECT t.root, i.inhrelid, t.made AND i.xmin = y.xmin FROM tree t JOIN pg_inherits i ON i.inhparent = t.relid
				JOIN pg_class k ON k.oid = i.inhrelid JOIN pg_type y ON y.oid = k.reltype)
		SELECT t.root, t.relid, k.relfilenode, t.made, k.relkind = 'p' FROM tree t JOIN pg_class k ON k.oid = t.relid`)
	out := map[uint32]map[uint32]leaf{}
	for _, r := range rows {
		root := uint32(number(r[0]))
		if out[root] == nil {
			out[root] = map[uint32]leaf{}
		}
		if string(r[4]) != "t" {
			out[root][uint32(number(r[1]))] = leaf{file: number(r[2]), made: string(r[3]) == "t"}
		}
	}
	return out, err
}

// files are the files of partitions, to be written down; nil for a table that has none.
func files(of map[uint32]leaf) map[uint32]int64 {
	if of == nil {
		return nil
	}
	out := make(map[uint32]int64, len(of))
	for id, l := range of {
		out[id] = l.file
	}
	return out
}

// moved says what has become of the partitions that the stream does not tell; empty: nothing. Partitions that were made are written down.
// now is nil of a table that is not read as one any more, of which the publication tells.
func (t *table) moved(now map[uint32]leaf) string {
	if now == nil {
		return ""
	}
	if t.up.Leaves == nil {
		t.up.Leaves = files(now)
		return ""
	}
	for _, id := range slices.Sorted(maps.Keys(t.up.Leaves)) {
		switch l, ok := now[id]; {
		case !ok:
			return "a partition of table " + t.up.String() + " was detached or dropped"
		case l.file != t.up.Leaves[id]:
			return "a partition of table " + t.up.String() + " was truncated by itself, or written anew by VACUUM FULL or CLUSTER"
		}
	}
	fresh := maps.Clone(t.up.Leaves)
	for id, l := range now {
		if _, ok := fresh[id]; !ok && !l.made {
			return "a partition was attached to table " + t.up.String()
		}
		fresh[id] = l.file
	}
	t.up.Leaves = fresh
	return ""
}

// checkPartitions makes sure that nothing has become of partitions that the stream does not tell. What is seen may come through the stream
// still, as TRUNCATE of the whole table does: it counts when the stream has come so far.
func (r *reader) checkPartitions(ctx context.Context, c *conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	now, err := c.leaves(ctx, r.cfg.Publication)
	if err != nil {
		return err
	}
	rows, err := c.query(ctx, "SELECT pg_current_wal_lsn()")
	if err != nil {
		return err
	}
	at, err := pglogrepl.ParseLSN(string(rows[0][0]))
	if err != nil {
		return fmt.Errorf("read where the log ends: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tables {
		if t.joined == 0 || r.renew {
			continue
		}
		switch what := t.moved(now[t.up.OID]); {
		case what == "":
			t.suspect = 0
		case t.suspect == 0:
			t.suspect = at
		case r.at >= t.suspect:
			return unsent(what)
		}
	}
	return nil
}

// unsent is the error of a source that missed something that a publication does not send.
func unsent(what string) *repr.Error {
	e := lost(what)
	return e.WithHint("a publication with publish_via_partition_root does not send that: ALTER SOURCE … RESNAPSHOT reads the tables anew and takes over the difference")
}
