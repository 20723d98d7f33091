package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"millrace/repr"
)

// mzTables are the tables about what runs here, under the names that Materialize gives them.
var mzTables = []builtin{
	{schema: "mz_catalog", name: "mz_objects", cols: "id text!, oid oid!, schema_id text!, name text!, type text!, create_sql text", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.Snapshot.Items() {
			if it.Kind != System {
				out = append(out, []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name), text(mzType(it.Kind)), text(it.CreateSQL)})
			}
		}
		return out
	}},
	{schema: "mz_catalog", name: "mz_sources", cols: "id text!, oid oid!, schema_id text!, name text!, type text!, create_sql text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name), text(it.SystemType()), text(it.CreateSQL)}
		}, Source)
	}},
	{schema: "mz_catalog", name: "mz_sinks", cols: "id text!, oid oid!, schema_id text!, name text!, type text!, create_sql text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name), text(it.SystemType()), text(it.CreateSQL)}
		}, Sink)
	}},
	{schema: "mz_catalog", name: "mz_subscriptions", cols: "id text!, oid oid!, schema_id text!, name text!, object_id text!, retain_for interval!, acknowledged numeric, needed_from numeric!, status text!, readers int8!, create_sql text",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.each(func(it *Item) []repr.Datum {
				n, acknowledged := e.Status.Named[it.ID], null
				if n.Acknowledged > 0 {
					acknowledged = repr.Numeric(int64(n.Acknowledged), 0)
				}
				return []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name), text("u" + strconv.FormatUint(it.On, 10)),
					repr.Interval(0, 0, n.RetainFor.Microseconds()), acknowledged, repr.Numeric(int64(n.NeededFrom), 0), text(n.Status),
					i8(int64(n.Readers)), text(it.CreateSQL)}
			}, Subscription)
		}},
	{schema: "mz_catalog", name: "mz_connections", cols: "id text!, oid oid!, schema_id text!, name text!, type text!, create_sql text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name), text(it.ledTo()), text(it.CreateSQL)}
		}, Connection)
	}},
	{schema: "mz_catalog", name: "mz_secrets", cols: "id text!, oid oid!, schema_id text!, name text!", rows: simpleRows(Secret)},
	{schema: "mz_catalog", name: "mz_indexes", cols: "id text!, oid oid!, name text!, on_id text!, create_sql text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{id(it), oid(it.OID), text(it.Name), text(number(it.On)), text(it.CreateSQL)}
		}, Index)
	}},
	{schema: "mz_catalog", name: "mz_tables", cols: "id text!, oid oid!, schema_id text!, name text!", rows: simpleRows(Table)},
	{schema: "mz_catalog", name: "mz_views", cols: "id text!, oid oid!, schema_id text!, name text!, definition text!", rows: viewRows(View)},
	{schema: "mz_catalog", name: "mz_materialized_views", cols: "id text!, oid oid!, schema_id text!, name text!, definition text!", rows: viewRows(MaterializedView)},
	{schema: "mz_catalog", name: "mz_columns", cols: "id text!, name text!, position int8!, nullable bool!, type text!, type_oid oid!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.relations() {
			if it.Kind == System || it.Kind == Index {
				continue
			}
			for i, c := range it.Desc {
				out = append(out, []repr.Datum{id(it), text(c.Name), i8(int64(i + 1)), yes(!c.NotNull), text(c.Type.String()), oid(c.Type.OID())})
			}
		}
		return out
	}},
	{schema: "mz_catalog", name: "mz_schemas", cols: "id text!, oid oid!, database_id text, name text!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, s := range e.Snapshot.Schemas() {
			out = append(out, []repr.Datum{text(s), e.schemaOID(s), text("u1"), text(s)})
		}
		return out
	}},
	{schema: "mz_catalog", name: "mz_databases", cols: "id text!, oid oid!, name text!", rows: func(*SystemEnv) [][]repr.Datum {
		return [][]repr.Datum{{text("u1"), oid(5), text(DefaultDatabase)}}
	}},
	{schema: "mz_internal", name: "mz_source_statuses", cols: "id text!, name text!, type text!, status text!, error text, hint text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.eachFed(func(it *Item) []repr.Datum {
			o := e.Status.Of(it)
			return []repr.Datum{id(it), text(it.Name), text(it.SystemType()), text(o.Status), orNull(o.Error), orNull(o.Hint)}
		})
	}},
	{schema: "mz_internal", name: "mz_sink_statuses", cols: "id text!, name text!, type text!, status text!, error text, hint text, messages_committed int8, retractions_dropped int8, rows_refused int8", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			o := e.Status.Of(it)
			return []repr.Datum{id(it), text(it.Name), text(it.SystemType()), text(o.Status), orNull(o.Error), orNull(o.Hint), i8(o.Good), i8(o.Bad), i8(o.ErrorsKept)}
		}, Sink)
	}},
	{schema: "mz_internal", name: "mz_view_errors", cols: "object_id text!, name text!, error_code text!, error text!, detail text, rows int8!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.Snapshot.Items() {
			for _, x := range e.Status.Objects[it.ID].ViewErrors {
				out = append(out, []repr.Datum{id(it), text(it.Name), text(x.Code), text(x.Message), orNull(x.Detail), i8(x.Rows)})
			}
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_source_statistics", cols: "id text!, name text!, messages_received int8!, bytes_received int8!, records_bad int8!, errors_kept int8!, errors_dropped int8!, dead_letters int8!, offset_known int8!, offset_committed int8!, snapshot_complete bool!, snapshot_records_known int8, snapshot_records_staged int8",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.eachFed(func(it *Item) []repr.Datum {
				o := e.Status.Of(it)
				partitions := o.Partitions
				if it.From != 0 { // a table is read as far as its source
					partitions = e.Status.Objects[it.From].Partitions
				}
				var next, high int64
				for _, p := range partitions {
					next += p.Next
					high += p.High
				}
				known, staged := null, null
				if it.From != 0 {
					staged = i8(o.Filled)
				}
				if it.From != 0 && (o.FillTotal > 0 || o.CaughtUp) {
					known = i8(max(o.FillTotal, o.Filled))
				}
				return []repr.Datum{id(it), text(it.Name), i8(o.Good + o.Bad), i8(o.ReadBytes), i8(o.Bad), i8(o.ErrorsKept), i8(o.ErrorsDropped), i8(o.Letters), i8(high), i8(next), yes(o.CaughtUp), known, staged}
			})
		}},
	{schema: "mz_internal", name: "mz_postgres_source_positions", cols: "id text!, name text!, replication_slot text!, lsn_read text, lsn_durable text, lsn_confirmed text, lsn_current text, lag_bytes int8, retained_bytes int8, asked_at timestamptz, open_transactions int8!, open_bytes int8!, spilled_bytes int8!",
		rows: func(e *SystemEnv) [][]repr.Datum {
			var out [][]repr.Datum
			for _, it := range e.Snapshot.Items() {
				if l := e.Status.Objects[it.ID].Log; l != nil {
					out = append(out, positionRow(it, l))
				}
			}
			return out
		}},
	{schema: "mz_internal", name: "mz_source_partitions", cols: "id text!, name text!, partition int4!, offset_committed int8!, offset_known int8!, lag int8!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.Snapshot.Items() {
			parts := slices.Clone(e.Status.Objects[it.ID].Partitions)
			slices.SortFunc(parts, func(a, b PartitionStatus) int { return int(a.Partition - b.Partition) })
			for _, p := range parts {
				out = append(out, []repr.Datum{id(it), text(it.Name), i4(int(p.Partition)), i8(p.Next), i8(p.High), i8(p.High - p.Next)})
			}
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_object_memory", cols: "id text!, name text!, rows int8!, bytes int8!, operator_bytes int8!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, h := range e.Status.Holders(e.Snapshot) {
			out = append(out, []repr.Datum{text(h.ID), text(h.Name), i8(h.Rows), i8(h.Bytes), i8(h.FlowBytes)})
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_shared_parts", cols: "id text!, name text!, user_id text!, user_name text!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, p := range e.Status.Parts {
			for _, u := range p.Users {
				out = append(out, []repr.Datum{partID(p.ID), text(p.Name), partID(u.ID), text(u.Name)})
			}
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_operator_stats", cols: "object_id text!, name text!, operator int8!, description text!, rows_in int8!, rows_out int8!, rows_held int8!, bytes int8!, elapsed_ms float8!",
		rows: func(e *SystemEnv) [][]repr.Datum {
			var out [][]repr.Datum
			for _, it := range e.Snapshot.Items() {
				for _, op := range e.Status.Objects[it.ID].Operators {
					out = append(out, []repr.Datum{id(it), text(it.Name), i8(int64(op.Number)), text(op.Label), i8(op.RowsIn), i8(op.RowsOut),
						i8(op.RowsHeld), i8(op.Bytes), repr.Float8(float64(op.Elapsed.Microseconds()) / 1000)})
				}
			}
			return out
		}},
	{schema: "mz_internal", name: "mz_hydration_statuses", cols: "object_id text!, name text!, hydrated bool!, status text!, progress text, error text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			o := e.Status.Of(it)
			return []repr.Datum{id(it), text(it.Name), yes(o.Status == "running"), text(o.Status), orNull(o.Progress), orNull(o.Error)}
		}, MaterializedView, Index)
	}},
	{schema: "mz_internal", name: "mz_object_failures", cols: "id text!, name text!, type text!, error text!, hint text, create_sql text", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.Snapshot.Items() {
			if o := e.Status.Of(it); o.Status == "failed" {
				out = append(out, []repr.Datum{id(it), text(it.Name), text(mzType(it.Kind)), text(o.Error), orNull(o.Hint), orNull(it.CreateSQL)})
			}
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_definitions", cols: "id text!, oid oid!, position int8!, schema text!, name text!, type text!, search_path text!, on_schema text, on_name text, statement text!, columns_added bool!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for n, it := range InOrder(e.Snapshot.Items(), func(it *Item) uint64 { return it.ID }, (*Item).Needs) {
			if it.Kind == System || it.Hidden {
				continue
			}
			onSchema, onName := null, null
			if on := e.Snapshot.Item(it.On); on != nil {
				onSchema, onName = text(on.Schema), text(on.Name)
			}
			kind := it.Kind.String()
			if it.From != 0 {
				kind = "table from source"
			}
			out = append(out, []repr.Datum{id(it), oid(it.OID), i8(int64(n)), text(it.Schema), text(it.Name), text(kind),
				text(jsonList(it.Path)), onSchema, onName, text(it.CreateSQL), yes(it.Stored != nil && len(it.Desc) >= len(it.Stored))})
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_frontiers", cols: "object_id text!, name text!, read_frontier numeric!, write_frontier numeric!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.Snapshot.Items() {
			if o, ok := e.Status.Objects[it.ID]; ok && o.Upper > 0 {
				out = append(out, []repr.Datum{id(it), text(it.Name), repr.Numeric(int64(o.Since), 0), repr.Numeric(int64(o.Upper), 0)})
			}
		}
		return out
	}},
	{schema: "mz_internal", name: "mz_object_history", cols: "object_id text!, name text!, retained interval, since numeric!, since_time timestamptz!, upper numeric!, ticks int8!, bytes int8!",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.each(func(it *Item) []repr.Datum {
				o, retained := e.Status.Of(it), null
				if it.Retain > 0 {
					retained = repr.Interval(0, 0, it.Retain.Microseconds())
				}
				return []repr.Datum{id(it), text(it.Name), retained, repr.Numeric(int64(o.Since), 0), clockTime(o.Since), repr.Numeric(int64(o.Upper), 0),
					i8(int64(o.Ticks)), i8(o.PastBytes)}
			}, Table, Source, MaterializedView, Index)
		}},
	{schema: "mz_internal", name: "mz_subscriptions", cols: "object_id text!, held_bytes int8!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, s := range e.Status.Subscriptions {
			if it := e.Snapshot.Item(s.Object); it != nil {
				out = append(out, []repr.Datum{id(it), i8(s.HeldBytes)})
			}
		}
		return out
	}},
}

// positionRow is how far a source has read the log of a PostgreSQL.
func positionRow(it *Item, l *LogStatus) []repr.Datum {
	lag, retained, asked := null, null, null
	if l.End != 0 {
		lag = i8(l.Lag())
	}
	if l.Kept != 0 {
		retained = i8(l.Retained())
	}
	if l.AskedMS != 0 {
		asked = repr.TimestampTZ((l.AskedMS - epochMillis) * 1000)
	}
	return []repr.Datum{id(it), text(it.Name), text(l.Slot), lsn(l.Read), lsn(l.Durable), lsn(l.Confirmed), lsn(l.End), lag, retained, asked,
		i8(l.Open), i8(l.OpenBytes), i8(l.SpilledBytes)}
}

// epochMillis is 2000-01-01 in milliseconds since 1970.
const epochMillis = 946684800 * 1000

// lsn is a place in a log as PostgreSQL prints it; 0 is not known.
func lsn(n int64) repr.Datum {
	if n == 0 {
		return null
	}
	return text(fmt.Sprintf("%X/%X", uint64(n)>>32, uint32(n)))
}

// eachFed is each of the sources, and of the tables that they feed.
func (e *SystemEnv) eachFed(row func(*Item) []repr.Datum) [][]repr.Datum {
	var out [][]repr.Datum
	for _, it := range e.Snapshot.Items() {
		if it.Kind == Source || it.From != 0 {
			out = append(out, row(it))
		}
	}
	return out
}

// SystemType is the type of a source in the words of mz_sources, or of a sink.
func (i *Item) SystemType() string {
	switch {
	case i.Hidden:
		return "errors"
	case i.From != 0:
		return "subsource"
	case i.System != "":
		return i.System
	default:
		return "unknown" // of an object that could not be made again
	}
}

// leading is what a connection is made of.
type leading interface{ SystemName() string }

// ledTo is what a connection leads to, in the words of mz_connections.
func (i *Item) ledTo() string {
	if l, ok := i.Def.(leading); ok {
		return l.SystemName()
	}
	return "unknown"
}

// id is the number of an object as Materialize writes it.
func id(it *Item) repr.Datum {
	return text(number(it.ID))
}

// clockTime is a logical time as a timestamp.
func clockTime(t repr.Time) repr.Datum {
	const epoch = 946684800 * 1000 // 2000-01-01 in milliseconds since 1970
	return repr.TimestampTZ((int64(t) - epoch) * 1000)
}

// partID is the id of a part of several plans, and of what reads it.
func partID(n uint64) repr.Datum { return text(number(n)) }

// jsonList is a list of texts as JSON.
func jsonList(list []string) string {
	b, err := json.Marshal(append([]string{}, list...))
	if err != nil {
		return "[]"
	}
	return string(b)
}

func orNull(s string) repr.Datum {
	if s == "" {
		return null
	}
	return text(s)
}

// mzType is the kind of an object in the words of mz_objects.
func mzType(k Kind) string {
	if k == MaterializedView {
		return "materialized-view"
	}
	return k.String()
}

func simpleRows(k Kind) func(*SystemEnv) [][]repr.Datum {
	return func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name)}
		}, k)
	}
}

func viewRows(k Kind) func(*SystemEnv) [][]repr.Datum {
	return func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{id(it), oid(it.OID), text(it.Schema), text(it.Name), text(it.QueryText + ";")}
		}, k)
	}
}
