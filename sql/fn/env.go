package fn

import (
	"strconv"
	"strings"
	"time"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

var plainOptions = &pgfmt.Options{}

// options are the settings of the session as far as the text forms of values depend on them.
func options(env *expr.Env) *pgfmt.Options {
	if env == nil || env.Setting == nil && env.Catalog == nil && env.Now.IsZero() {
		return plainOptions
	}
	o := &pgfmt.Options{Now: env.Now, TimeZone: location(env)}
	if env.Catalog != nil {
		o.RegName = func(k repr.Kind, oid uint32) (string, bool) { return regName(env, k, oid) }
		o.RegOID = func(k repr.Kind, name string) (uint32, bool) { return regOID(env, k, name) }
	}
	if env.Setting == nil {
		return o
	}
	if v, ok := env.Setting("datestyle"); ok {
		o.DateOrder = dateOrder(v)
	}
	if v, ok := env.Setting("intervalstyle"); ok {
		o.IntervalStyle = intervalStyles[strings.ToLower(v)]
	}
	if v, ok := env.Setting("extra_float_digits"); ok {
		if n, err := strconv.Atoi(v); err == nil {
			o.FloatDigits = n - 1
		}
	}
	if v, ok := env.Setting("bytea_output"); ok {
		o.ByteaEscape = strings.EqualFold(v, "escape")
	}
	return o
}

var intervalStyles = map[string]pgfmt.IntervalStyle{
	"postgres": pgfmt.IntervalPostgres, "iso_8601": pgfmt.IntervalISO8601,
	"sql_standard": pgfmt.IntervalSQLStandard, "postgres_verbose": pgfmt.IntervalVerbose,
}

func dateOrder(style string) pgfmt.DateOrder {
	switch upper := strings.ToUpper(style); {
	case strings.Contains(upper, "DMY"):
		return pgfmt.OrderDMY
	case strings.Contains(upper, "YMD"):
		return pgfmt.OrderYMD
	default:
		return pgfmt.OrderMDY
	}
}

// location is the session's time zone; UTC where there is no session.
func location(env *expr.Env) *time.Location {
	if env == nil || env.Setting == nil {
		return time.UTC
	}
	v, ok := env.Setting("timezone")
	if !ok || v == "UTC" {
		return time.UTC
	}
	loc, err := pgfmt.SettingZone(v)
	if err != nil {
		return time.UTC
	}
	return loc
}
