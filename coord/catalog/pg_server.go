package catalog

import "millrace/repr"

// pgServer are the tables of pg_catalog about the server: databases, roles, settings.
var pgServer = []builtin{
	{schema: "pg_catalog", name: "pg_database", oid: 1262, cols: "oid oid!, datname name!, datdba oid!, encoding int4!, datlocprovider char!, datistemplate bool!, datallowconn bool!, datconnlimit int4!, " +
		"datfrozenxid int4!, datminmxid int4!, dattablespace oid!, datcollate text!, datctype text!, daticulocale text, datcollversion text, datacl text[]", rows: func(*SystemEnv) [][]repr.Datum {
		return [][]repr.Datum{{oid(5), name(DefaultDatabase), oid(OwnerOID), i4(6), char("c"), yes(false), yes(true), i4(-1), i4(0), i4(0), oid(1663), text("C"), text("C"), null, null, null}}
	}},
	{schema: "pg_catalog", name: "pg_roles", cols: "rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool, rolreplication bool, rolconnlimit int4, " +
		"rolpassword text, rolvaliduntil timestamptz, rolbypassrls bool, rolconfig text[], oid oid", rows: func(*SystemEnv) [][]repr.Datum {
		return [][]repr.Datum{{name(DefaultUser), yes(true), yes(true), yes(true), yes(true), yes(true), yes(false), i4(-1), text("********"), null, yes(true), null, oid(OwnerOID)}}
	}},
	{schema: "pg_catalog", name: "pg_authid", oid: 1260, cols: "oid oid!, rolname name!, rolsuper bool!, rolinherit bool!, rolcreaterole bool!, rolcreatedb bool!, rolcanlogin bool!, rolreplication bool!, " +
		"rolbypassrls bool!, rolconnlimit int4!, rolpassword text, rolvaliduntil timestamptz", rows: func(*SystemEnv) [][]repr.Datum {
		return [][]repr.Datum{{oid(OwnerOID), name(DefaultUser), yes(true), yes(true), yes(true), yes(true), yes(true), yes(false), yes(true), i4(-1), null, null}}
	}},
	{schema: "pg_catalog", name: "pg_user", cols: "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, usebypassrls bool, passwd text, valuntil timestamptz, useconfig text[]",
		rows: func(*SystemEnv) [][]repr.Datum {
			return [][]repr.Datum{{name(DefaultUser), oid(OwnerOID), yes(true), yes(true), yes(false), yes(true), text("********"), null, null}}
		}},
	{schema: "pg_catalog", name: "pg_tablespace", oid: 1213, cols: "oid oid!, spcname name!, spcowner oid!, spcacl text[], spcoptions text[]", rows: func(*SystemEnv) [][]repr.Datum {
		return [][]repr.Datum{{oid(1663), name("pg_default"), oid(OwnerOID), null, null}}
	}},
	{schema: "pg_catalog", name: "pg_settings", cols: "name text, setting text, unit text, category text, short_desc text, extra_desc text, context text, vartype text, source text, min_val text, max_val text, " +
		"enumvals text[], boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, s := range e.Settings {
			out = append(out, []repr.Datum{text(s[0]), text(s[1]), null, text("Settings"), text(s[2]), null, text("user"), text("string"), text("default"), null, null,
				null, text(s[1]), text(s[1]), null, null, yes(false)})
		}
		return out
	}},
	{schema: "pg_catalog", name: "pg_language", oid: 2612, cols: "oid oid!, lanname name!, lanowner oid!, lanispl bool!, lanpltrusted bool!, lanplcallfoid oid!, laninline oid!, lanvalidator oid!, lanacl text[]",
		rows: func(*SystemEnv) [][]repr.Datum {
			return [][]repr.Datum{{oid(14), name("sql"), oid(OwnerOID), yes(false), yes(true), oid(0), oid(0), oid(0), null}}
		}},
}

// pgEmpty are tables of pg_catalog that tools ask for and of whose kind nothing exists here.
var pgEmpty = []builtin{
	{schema: "pg_catalog", name: "pg_constraint", oid: 2606, cols: "oid oid!, conname name!, connamespace oid!, contype char!, condeferrable bool!, condeferred bool!, convalidated bool!, conrelid oid!, contypid oid!, " +
		"conindid oid!, conparentid oid!, confrelid oid!, confupdtype char!, confdeltype char!, confmatchtype char!, conislocal bool!, coninhcount int4!, connoinherit bool!, conkey int2[], confkey int2[], " +
		"conpfeqop oid[], conppeqop oid[], conffeqop oid[], confdelsetcols int2[], conexclop oid[], conbin text"},
	{schema: "pg_catalog", name: "pg_inherits", oid: 2611, cols: "inhrelid oid!, inhparent oid!, inhseqno int4!, inhdetachpending bool!"},
	{schema: "pg_catalog", name: "pg_policy", oid: 3256, cols: "oid oid!, polname name!, polrelid oid!, polcmd char!, polpermissive bool!, polroles oid[]!, polqual text, polwithcheck text"},
	{schema: "pg_catalog", name: "pg_trigger", oid: 2620, cols: "oid oid!, tgrelid oid!, tgparentid oid!, tgname name!, tgfoid oid!, tgtype int2!, tgenabled char!, tgisinternal bool!, tgconstrrelid oid!, " +
		"tgconstrindid oid!, tgconstraint oid!, tgdeferrable bool!, tginitdeferred bool!, tgnargs int2!, tgattr int2[]!, tgargs bytea!, tgqual text, tgoldtable name, tgnewtable name"},
	{schema: "pg_catalog", name: "pg_statistic_ext", oid: 3381, cols: "oid oid!, stxrelid oid!, stxname name!, stxnamespace oid!, stxowner oid!, stxstattarget int4!, stxkeys int2[]!, stxkind char[]!, stxexprs text"},
	{schema: "pg_catalog", name: "pg_publication", oid: 6104, cols: "oid oid!, pubname name!, pubowner oid!, puballtables bool!, pubinsert bool!, pubupdate bool!, pubdelete bool!, pubtruncate bool!, pubviaroot bool!"},
	{schema: "pg_catalog", name: "pg_publication_rel", oid: 6106, cols: "oid oid!, prpubid oid!, prrelid oid!, prqual text, prattrs int2[]"},
	{schema: "pg_catalog", name: "pg_publication_namespace", oid: 6237, cols: "oid oid!, pnpubid oid!, pnnspid oid!"},
	{schema: "pg_catalog", name: "pg_publication_tables", cols: "pubname name, schemaname name, tablename name, attnames name[], rowfilter text"},
	{schema: "pg_catalog", name: "pg_auth_members", oid: 1261, cols: "roleid oid!, member oid!, grantor oid!, admin_option bool!"},
	{schema: "pg_catalog", name: "pg_proc", oid: 1255, cols: "oid oid!, proname name!, pronamespace oid!, proowner oid!, prolang oid!, procost float4!, prorows float4!, provariadic oid!, prosupport regproc!, prokind char!, " +
		"prosecdef bool!, proleakproof bool!, proisstrict bool!, proretset bool!, provolatile char!, proparallel char!, pronargs int2!, pronargdefaults int2!, prorettype oid!, proargtypes oid[]!, proallargtypes oid[], " +
		"proargmodes char[], proargnames text[], proargdefaults text, protrftypes oid[], prosrc text!, probin text, prosqlbody text, proconfig text[], proacl text[]"},
	{schema: "pg_catalog", name: "pg_cast", oid: 2605, cols: "oid oid!, castsource oid!, casttarget oid!, castfunc oid!, castcontext char!, castmethod char!"},
	{schema: "pg_catalog", name: "pg_extension", oid: 3079, cols: "oid oid!, extname name!, extowner oid!, extnamespace oid!, extrelocatable bool!, extversion text!, extconfig oid[], extcondition text[]"},
	{schema: "pg_catalog", name: "pg_sequence", oid: 2224, cols: "seqrelid oid!, seqtypid oid!, seqstart int8!, seqincrement int8!, seqmax int8!, seqmin int8!, seqcache int8!, seqcycle bool!"},
	{schema: "pg_catalog", name: "pg_sequences", cols: "schemaname name, sequencename name, sequenceowner name, data_type regtype, start_value int8, min_value int8, max_value int8, increment_by int8, cycle bool, cache_size int8, last_value int8"},
	{schema: "pg_catalog", name: "pg_enum", oid: 3501, cols: "oid oid!, enumtypid oid!, enumsortorder float4!, enumlabel name!"},
	{schema: "pg_catalog", name: "pg_range", oid: 3541, cols: "rngtypid oid!, rngsubtype oid!, rngmultitypid oid!, rngcollation oid!, rngsubopc oid!, rngcanonical regproc!, rngsubdiff regproc!"},
	{schema: "pg_catalog", name: "pg_opclass", oid: 2616, cols: "oid oid!, opcmethod oid!, opcname name!, opcnamespace oid!, opcowner oid!, opcfamily oid!, opcintype oid!, opcdefault bool!, opckeytype oid!"},
	{schema: "pg_catalog", name: "pg_operator", oid: 2617, cols: "oid oid!, oprname name!, oprnamespace oid!, oprowner oid!, oprkind char!, oprcanmerge bool!, oprcanhash bool!, oprleft oid!, oprright oid!, oprresult oid!, " +
		"oprcom oid!, oprnegate oid!, oprcode regproc!, oprrest regproc!, oprjoin regproc!"},
	{schema: "pg_catalog", name: "pg_aggregate", oid: 2600, cols: "aggfnoid regproc!, aggkind char!, aggnumdirectargs int2!"},
	{schema: "pg_catalog", name: "pg_conversion", oid: 2607, cols: "oid oid!, conname name!, connamespace oid!, conowner oid!, conforencoding int4!, contoencoding int4!, conproc regproc!, condefault bool!"},
	{schema: "pg_catalog", name: "pg_event_trigger", oid: 3466, cols: "oid oid!, evtname name!, evtevent name!, evtowner oid!, evtfoid oid!, evtenabled char!, evttags text[]"},
	{schema: "pg_catalog", name: "pg_shdescription", oid: 2396, cols: "objoid oid!, classoid oid!, description text!"},
	{schema: "pg_catalog", name: "pg_seclabel", oid: 3596, cols: "objoid oid!, classoid oid!, objsubid int4!, provider text!, label text!"},
	{schema: "pg_catalog", name: "pg_locks", cols: "locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, transactionid int4, classid oid, objid oid, objsubid int2, virtualtransaction text, pid int4, mode text, granted bool, fastpath bool, waitstart timestamptz"},
	{schema: "pg_catalog", name: "pg_partitioned_table", oid: 3350, cols: "partrelid oid!, partstrat char!, partnatts int2!, partdefid oid!, partattrs int2[]!, partclass oid[]!, partcollation oid[]!, partexprs text"},
	{schema: "pg_catalog", name: "pg_foreign_table", oid: 3118, cols: "ftrelid oid!, ftserver oid!, ftoptions text[]"},
	{schema: "pg_catalog", name: "pg_foreign_server", oid: 1417, cols: "oid oid!, srvname name!, srvowner oid!, srvfdw oid!, srvtype text, srvversion text, srvacl text[], srvoptions text[]"},
	{schema: "pg_catalog", name: "pg_foreign_data_wrapper", oid: 2328, cols: "oid oid!, fdwname name!, fdwowner oid!, fdwhandler oid!, fdwvalidator oid!, fdwacl text[], fdwoptions text[]"},
	{schema: "pg_catalog", name: "pg_default_acl", oid: 826, cols: "oid oid!, defaclrole oid!, defaclnamespace oid!, defaclobjtype char!, defaclacl text[]!"},
	{schema: "pg_catalog", name: "pg_stat_activity", cols: "datid oid, datname name, pid int4, usesysid oid, usename name, application_name text, client_addr text, client_port int4, backend_start timestamptz, " +
		"xact_start timestamptz, query_start timestamptz, state_change timestamptz, wait_event_type text, wait_event text, state text, backend_xid int4, backend_xmin int4, query_id int8, query text, backend_type text"},
	{schema: "pg_catalog", name: "pg_stat_user_tables", cols: "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_live_tup int8, n_dead_tup int8"},
	{schema: "pg_catalog", name: "pg_timezone_abbrevs", cols: "abbrev text, utc_offset interval, is_dst bool"},
	{schema: "pg_catalog", name: "pg_timezone_names", cols: "name text, abbrev text, utc_offset interval, is_dst bool"},
	{schema: "pg_catalog", name: "pg_rules", cols: "schemaname name, tablename name, rulename name, definition text"},
}
