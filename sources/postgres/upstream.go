package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"millrace/repr"
	"millrace/sources"
)

// upstream is what is known of a table of the other side.
type upstream struct {
	OID     uint32       `json:"oid"`
	Schema  string       `json:"schema"`
	Name    string       `json:"name"`
	Columns []upstreamed `json:"columns"`
	Key     []int16      `json:"key,omitempty"` // attribute numbers; none: the old row of every change is sent
	Filter  string       `json:"filter,omitempty"`
	Entries []int64      `json:"entries,omitempty"` // the numbers of what puts it into the publication; none: all tables are in it
	// Leaves are the files of the partitions of a partitioned table, by their numbers; nil: not known.
	Leaves map[uint32]int64 `json:"leaves"`

	partitioned bool
	identity    string
	readable    bool
	rows        int64 // about
}

// upstreamed is a column of the other side.
type upstreamed struct {
	Name   string `json:"name"`
	Number int16  `json:"number"`
	Type   uint32 `json:"type"`
	Mod    int32  `json:"mod,omitempty"`  // its modifier; 0: not known
	Gone   bool   `json:"gone,omitempty"` // it was dropped

	typ repr.Type
}

func (u *upstream) String() string { return u.Schema + "." + u.Name }

func parseUpstream(text string) (*upstream, error) {
	u := &upstream{}
	if err := json.Unmarshal([]byte(text), u); err != nil {
		return nil, fmt.Errorf("read what is kept of a table: %w", err)
	}
	return u, nil
}

// text is what is kept of it.
func (u *upstream) text() string {
	b, err := json.Marshal(u)
	if err != nil {
		return ""
	}
	return string(b)
}

// offer is the table as we see it. Only a key is declared NOT NULL: any other column may be dropped, and is NULL then.
func (u *upstream) offer() sources.Offer {
	o := sources.Offer{Schema: u.Schema, Name: u.Name, Upstream: u.text()}
	if e := u.problem(); e != nil {
		o.Err = e
	}
	var key []int
	for i, c := range u.Columns {
		isKey := slices.Contains(u.Key, c.Number)
		o.Columns = append(o.Columns, repr.Column{Name: c.Name, Type: c.typ, NotNull: isKey})
		if isKey {
			key = append(key, i)
		}
	}
	if len(key) > 0 {
		o.Keys = [][]int{key}
	}
	return o
}

// problem says why a table cannot be read.
func (u *upstream) problem() *repr.Error {
	name := "table " + u.String() + " of the publication"
	switch {
	case !u.readable:
		return repr.NewError(repr.CodeInsufficientPrivilege, "permission denied for "+name).
			WithHint("let its owner run GRANT SELECT ON " + quoteIdent(u.Schema) + "." + quoteIdent(u.Name) + " TO the user of the connection")
	case u.identity == "f" || len(u.Key) > 0:
		return nil
	}
	return repr.NewError(repr.CodeObjectNotReady, name+" does not tell which rows its changes are about").
		WithDetail("It has no primary key, or REPLICA IDENTITY NOTHING.").
		WithHint("run ALTER TABLE " + quoteIdent(u.Schema) + "." + quoteIdent(u.Name) + " REPLICA IDENTITY FULL there, or give it a primary key and REPLICA IDENTITY DEFAULT")
}

// checkServer tries whether the server can be read from: with a slot that there may be already.
func (c *conn) checkServer(ctx context.Context, slot string) error {
	rows, err := c.query(ctx, `SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int,
		(SELECT count(*) FROM pg_replication_slots WHERE slot_name <> `+quoteText(slot)+`), current_user,
		(SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS (SELECT FROM pg_roles r
			WHERE r.rolname IN ('rds_replication', 'rds_superuser') AND pg_has_role(current_user, r.oid, 'MEMBER')),
		pg_is_in_recovery(), current_setting('max_wal_senders')::int`)
	if err != nil {
		return err
	}
	r := rows[0]
	most, used := number(r[1]), number(r[2])
	switch {
	case string(r[0]) != "logical":
		return repr.NewError(repr.CodeObjectNotReady, "wal_level of PostgreSQL at "+c.addr.String()+" is "+string(r[0])+", and has to be logical").
			WithHint("run ALTER SYSTEM SET wal_level = logical there, and restart it")
	case string(r[4]) != "t":
		return repr.NewError(repr.CodeInsufficientPrivilege, "user \""+string(r[3])+"\" of PostgreSQL at "+c.addr.String()+" may not start replication").
			WithHint("let a superuser run ALTER ROLE " + quoteIdent(string(r[3])) + " REPLICATION")
	case string(r[5]) == "t":
		return repr.NewError(repr.CodeObjectNotReady, "PostgreSQL at "+c.addr.String()+" is a standby, which cannot be read from").
			WithHint("lead the connection to the primary")
	case used+1 >= most: // the slot that stays, and the one that is there while a table is read
		return repr.NewError("53400", "PostgreSQL at "+c.addr.String()+" has no two replication slots left: "+strconv.FormatInt(used, 10)+" of "+
			strconv.FormatInt(most, 10)+" are in use").WithHint(hints["53400"])
	case number(r[6]) < 2:
		return repr.NewError(repr.CodeObjectNotReady, "max_wal_senders of PostgreSQL at "+c.addr.String()+" is below 2").
			WithHint("run ALTER SYSTEM SET max_wal_senders = 10 there, and restart it")
	}
	return nil
}

// numbers reads numbers with blanks between them.
func numbers(b []byte) []int64 {
	var out []int64
	for _, f := range bytes.Fields(b) {
		out = append(out, number(f))
	}
	return out
}

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return n
}

// upstream gives the tables of a publication.
func (c *conn) upstream(ctx context.Context, publication string) ([]*upstream, error) {
	release, err := c.release(ctx)
	if err != nil {
		return nil, err
	}
	filters := "NULL, NULL"
	if release >= release15 {
		filters = "p.attnames::text[], p.rowfilter"
	}
	rows, err := c.query(ctx, `SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', c.relreplident, greatest(c.reltuples, 0)::bigint,
			has_table_privilege(c.oid, 'SELECT'), i.indkey::text, `+filters+`, `+entriesOf(release)+`
		FROM pg_publication_tables p
		JOIN pg_publication b ON b.pubname = p.pubname
		JOIN pg_namespace n ON n.nspname = p.schemaname
		JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
		LEFT JOIN pg_index i ON i.indrelid = c.oid AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)
		WHERE p.pubname = `+quoteText(publication)+` ORDER BY 2, 3`)
	if err != nil {
		return nil, err
	}
	types, err := c.composed(ctx)
	if err != nil {
		return nil, err
	}
	leaves, err := c.leaves(ctx, publication)
	if err != nil {
		return nil, err
	}
	var out []*upstream
	for _, r := range rows {
		u := &upstream{OID: uint32(number(r[0])), Schema: string(r[1]), Name: string(r[2]), partitioned: string(r[3]) == "t",
			identity: string(r[4]), rows: number(r[5]), readable: string(r[6]) == "t", Filter: string(r[9]), Entries: numbers(r[10])}
		u.Leaves = files(leaves[u.OID])
		for _, k := range numbers(r[7]) {
			u.Key = append(u.Key, int16(k))
		}
		if err := c.columns(ctx, u, r[8], types); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// composed is a type that is made of another one: a domain, or an array.
type composed struct {
	base    uint32
	mod     int32
	isArray bool
}

// composed gives the domains and arrays there are. An array whose elements are not parted by commas is none.
func (c *conn) composed(ctx context.Context) (map[uint32]composed, error) {
	rows, err := c.query(ctx, `SELECT oid, CASE typtype WHEN 'd' THEN typbasetype ELSE typelem END, typtypmod, typtype <> 'd' FROM pg_type t
		WHERE typtype = 'd' OR typinput = 'array_in'::regproc AND EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typdelim = ',')`)
	out := map[uint32]composed{}
	for _, r := range rows {
		out[uint32(number(r[0]))] = composed{base: uint32(number(r[1])), mod: int32(number(r[2])), isArray: string(r[3]) == "t"}
	}
	return out, err
}

// columns reads the columns of a table that are sent: names, when given, are those that the publication lists.
func (c *conn) columns(ctx context.Context, u *upstream, names []byte, types map[uint32]composed) error {
	listed := ""
	if names != nil {
		listed = " AND attname = ANY (" + quoteText(string(names)) + "::text[])"
	}
	rows, err := c.query(ctx, `SELECT attname, attnum, atttypid, atttypmod FROM pg_attribute
		WHERE attrelid = `+strconv.FormatUint(uint64(u.OID), 10)+` AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`+listed+` ORDER BY attnum`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		col := upstreamed{Name: string(r[0]), Number: int16(number(r[1])), Type: uint32(number(r[2])), Mod: int32(number(r[3]))}
		col.typ = typeOf(col.Type, col.Mod, types)
		u.Columns = append(u.Columns, col)
	}
	return nil
}

// typeOf is our type for one of the other side: that of a domain is what it is made of, and what we do not know, enums among it, is
// text as the other side prints it.
func typeOf(oid uint32, mod int32, types map[uint32]composed) repr.Type {
	d, ok := types[oid]
	for ; ok && !d.isArray; d, ok = types[oid] {
		if oid = d.base; d.mod >= 0 {
			mod = d.mod
		}
	}
	if ok {
		return arrayOf(typeOf(d.base, -1, types))
	}
	t, ok := repr.TypeByOID(oid)
	if !ok || opaque[t.Kind] {
		return repr.TypeOf(repr.KindText)
	}
	if mod >= 0 && keepsMod(t) {
		t.Mod = mod
	}
	return t
}

// arrayOf is an array of a type, or text as the other side prints it when there is none.
func arrayOf(elem repr.Type) repr.Type {
	if elem.Kind == repr.KindArray {
		return repr.TypeOf(repr.KindText)
	}
	return repr.ArrayOf(elem.Kind)
}

// keepsMod says whether a modifier is kept: of what prints otherwise because of it. The values have been fitted to it already, so a
// text that may become longer is no other type.
func keepsMod(t repr.Type) bool { return t.Kind == repr.KindBpchar || t.Kind == repr.KindNumeric }

// opaque are the kinds whose text means something to the other side only.
var opaque = map[repr.Kind]bool{repr.KindRegClass: true, repr.KindRegType: true, repr.KindRegProc: true, repr.KindRegNamespace: true,
	repr.KindRecord: true, repr.KindVoid: true}

// attributes gives what the columns of a table are called now, by number; a dropped one has no name.
func (c *conn) attributes(ctx context.Context, oid uint32) (map[int16]string, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	rows, err := c.query(ctx, `SELECT attnum, attname FROM pg_attribute WHERE attrelid = `+strconv.FormatUint(uint64(oid), 10)+
		` AND attnum > 0 AND NOT attisdropped`)
	out := map[int16]string{}
	for _, r := range rows {
		out[int16(number(r[0]))] = string(r[1])
	}
	return out, err
}
