package fn

import (
	"strings"

	"millrace/repr"
	"millrace/sql/expr"
)

// Version is what version() says; clients read the number of the PostgreSQL release out of it.
const Version = "PostgreSQL 15.0 on x86_64-pc-linux-gnu, compiled by go (millrace)"

// sessionFunctions tell about the session and the server.
var sessionFunctions = []row{
	{sig: "version() text", vol: expr.Stable, eval: constText(Version)},
	{sig: "current_user() name", vol: expr.Stable, eval: user},
	{sig: "session_user() name", vol: expr.Stable, eval: user},
	{sig: "user() name", vol: expr.Stable, eval: user},
	{sig: "current_role() name", vol: expr.Stable, eval: user},
	{sig: "current_database() name", vol: expr.Stable, eval: database},
	{sig: "current_catalog() name", vol: expr.Stable, eval: database},
	{sig: "current_schema() name", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		if len(env.SearchPath) == 0 {
			return repr.Null, nil
		}
		return repr.Text(env.SearchPath[0]).As(kName), nil
	}},
	{sig: "current_schemas(boolean) name[]", vol: expr.Stable, eval: currentSchemas},
	{sig: "current_setting(text) text", vol: expr.Stable, eval: currentSetting},
	{sig: "current_setting(text, boolean) text", vol: expr.Stable, eval: currentSetting},
	{sig: "pg_backend_pid() integer", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		if env.Setting != nil {
			if v, ok := env.Setting("backend_pid"); ok {
				return intTo(kInt4)(env, []repr.Datum{repr.Int8(digitsOf(v))})
			}
		}
		return repr.Int4(0), nil
	}},
	{sig: "pg_is_in_recovery() boolean", vol: expr.Stable, eval: constBool(false)},
	{sig: "pg_is_wal_replay_paused() boolean", vol: expr.Stable, eval: constBool(false)},
	{sig: "txid_current() bigint", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int8(int64(env.LogicalNow)), nil
	}},
	{sig: "pg_current_xact_id() bigint", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int8(int64(env.LogicalNow)), nil
	}},
	{sig: "inet_server_port() integer", vol: expr.Stable, eval: constNull},
	{sig: "pg_client_encoding() name", vol: expr.Stable, eval: func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Text("UTF8").As(kName), nil
	}},
	{sig: "pg_encoding_to_char(integer) name", vol: expr.Stable, eval: encodingName},
	{sig: "pg_char_to_encoding(name) integer", vol: expr.Stable, eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if isUTF8(a[0].Str()) {
			return repr.Int4(encodingUTF8), nil
		}
		return repr.Int4(-1), nil
	}},
	{sig: "mz_environment_id() text", vol: expr.Stable, eval: constText("millrace")},
	{sig: "mz_version() text", vol: expr.Stable, eval: constText(Version)},
}

// encodingUTF8 is PostgreSQL's number of the encoding.
const encodingUTF8 = 6

func constText(s string) evalFunc {
	return func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Text(s), nil }
}

func constBool(b bool) evalFunc {
	return func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Bool(b), nil }
}

func constNull(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Null, nil }

func user(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Text(env.User).As(kName), nil
}

func database(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Text(env.Database).As(kName), nil
}

// digitsOf reads a number of the server's own; 0 when it is none.
func digitsOf(s string) int64 {
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' || n > 1<<50 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

func currentSchemas(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	var out []repr.Datum
	implicit := a[0].Bool()
	for _, s := range env.SearchPath {
		if s == "pg_catalog" {
			implicit = false
		}
	}
	if implicit {
		out = append(out, repr.Text("pg_catalog").As(kName))
	}
	for _, s := range env.SearchPath {
		out = append(out, repr.Text(s).As(kName))
	}
	return repr.Array(out), nil
}

func currentSetting(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	name := strings.ToLower(a[0].Str())
	if env.Setting != nil {
		if v, ok := env.Setting(name); ok {
			return repr.Text(v), nil
		}
	}
	if len(a) > 1 && a[1].Bool() {
		return repr.Null, nil
	}
	return repr.Null, repr.NewError(repr.CodeUndefinedObject, `unrecognized configuration parameter "`+a[0].Str()+`"`)
}

func encodingName(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	switch a[0].Int() {
	case 0:
		return repr.Text("SQL_ASCII").As(kName), nil
	case encodingUTF8:
		return repr.Text("UTF8").As(kName), nil
	default:
		return repr.Text("").As(kName), nil
	}
}
