package coord

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// setting is one row of the table of settings.
type setting struct {
	name     string
	initial  string
	about    string
	reported bool // sent to the client as ParameterStatus
	fixed    bool // can be shown, not set
	check    func(v string) (string, *repr.Error)
}

// serverVersion is the version of PostgreSQL whose catalogs and answers we give.
const serverVersion = "15.0"

// settingTable holds every setting, in the order of SHOW ALL.
var settingTable = []setting{
	{name: "application_name", about: "Sets the application name to be reported in statistics and logs.", reported: true},
	{name: "bytea_output", initial: "hex", about: "Sets the output format for bytea.", check: oneOf("hex", "escape")},
	{name: "client_encoding", initial: "UTF8", about: "Sets the client's character set encoding.", reported: true, check: checkEncoding},
	{name: "client_min_messages", initial: "notice", about: "Sets the message levels that are sent to the client.",
		check: oneOf("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")},
	{name: "cluster", initial: "default", about: "The cluster of a session; there is one."},
	{name: "DateStyle", initial: "ISO, MDY", about: "Sets the display format for date and time values.", reported: true, check: checkDateStyle},
	{name: "default_transaction_isolation", initial: "serializable", about: "Sets the transaction isolation level of each new transaction."},
	{name: "default_transaction_read_only", initial: "off", about: "Sets the default read-only status of new transactions.", check: checkBool},
	{name: "extra_float_digits", initial: "1", about: "Sets the number of digits displayed for floating-point values.", check: checkInt(-15, 3)},
	{name: "idle_in_transaction_session_timeout", initial: "5min", about: "Ends a session that idles in a transaction for that long.", check: checkDuration},
	{name: "in_hot_standby", initial: "off", about: "Shows whether hot standby is currently active.", reported: true, fixed: true},
	{name: "integer_datetimes", initial: "on", about: "Shows whether datetimes are integer based.", reported: true, fixed: true},
	{name: "IntervalStyle", initial: "postgres", about: "Sets the display format for interval values.", reported: true,
		check: oneOf("postgres", "postgres_verbose", "sql_standard", "iso_8601")},
	{name: "is_superuser", initial: "on", about: "Shows whether the current user is a superuser.", reported: true, fixed: true},
	{name: "max_identifier_length", initial: "63", about: "Shows the maximum identifier length.", fixed: true},
	{name: "max_index_keys", initial: "32", about: "Shows the maximum number of index keys.", fixed: true},
	{name: "mz_version", about: "Shows the version of the server.", fixed: true},
	{name: "lock_timeout", initial: "0", about: "Accepted; statements do not wait for locks.", check: checkDuration},
	{name: settingOnError, initial: onErrorFail, about: "Sets whether reads fail on rows of views that have an error, or leave them out.",
		check: oneOf(onErrorFail, onErrorQuarantine)},
	{name: settingQueryMemory, about: "Sets what a statement or transaction may hold in memory; 0 is no limit.", check: checkMemory},
	{name: "retain_history", initial: "10s", about: "Shows how far back AS OF reaches.", fixed: true},
	{name: "role", initial: "none", about: "Sets the current role."},
	{name: "row_security", initial: "on", about: "Enable row security.", check: checkBool},
	{name: "search_path", initial: "\"$user\", public", about: "Sets the schema search order for names that are not schema-qualified."},
	{name: "server_encoding", initial: "UTF8", about: "Shows the server (database) character set encoding.", reported: true, fixed: true},
	{name: "server_version", initial: serverVersion, about: "Shows the server version.", reported: true, fixed: true},
	{name: "server_version_num", initial: "150000", about: "Shows the server version as an integer.", fixed: true},
	{name: "session_authorization", about: "Shows the current session user name.", reported: true, fixed: true},
	{name: "standard_conforming_strings", initial: "on", about: "Causes '...' strings to treat backslashes literally.", reported: true,
		check: oneOf("on")},
	{name: "statement_timeout", initial: "0", about: "Sets the maximum allowed duration of any statement.", check: checkDuration},
	{name: "subscription_memory", initial: "32MB", about: "Shows what a subscription may hold for a slow client.", fixed: true},
	{name: "synchronize_seqscans", initial: "on", about: "Accepted and not used.", check: checkBool},
	{name: "TimeZone", initial: "UTC", about: "Sets the time zone for displaying and interpreting time stamps.", reported: true, check: checkTimeZone},
	{name: "transaction_isolation", initial: "serializable", about: "Shows the current transaction's isolation level."},
	{name: "transaction_read_only", initial: "off", about: "Shows whether the current transaction is read-only.", check: checkBool},
	{name: "welcome_message", initial: "off", about: "Whether a session of psql starts with a notice about the server.", check: checkBool},
}

// settings are the values in one session.
type settings struct {
	c      *Coordinator
	user   string
	values map[string]string // by lower-case name; only what differs from the initial value
	opts   *pgfmt.Options    // nil when it has to be made anew
}

func newSettings(c *Coordinator, user string) *settings {
	return &settings{c: c, user: user, values: map[string]string{}}
}

func findSetting(name string) *setting {
	for i := range settingTable {
		if strings.EqualFold(settingTable[i].name, name) {
			return &settingTable[i]
		}
	}
	return nil
}

// start takes the settings of the startup message. What PostgreSQL does not know either is an error; what it knows and
// we do not is left alone, so that drivers can connect.
func (s *settings) start(given map[string]string) *repr.Error {
	for name, v := range given {
		st := findSetting(name)
		if st == nil || st.fixed {
			continue
		}
		if err := s.set(name, v); err != nil {
			return err
		}
	}
	return nil
}

// get is the value of a setting.
func (s *settings) get(name string) (string, bool) {
	low := strings.ToLower(name)
	if v, ok := s.values[low]; ok {
		return v, true
	}
	st := findSetting(name)
	if st == nil {
		return "", false
	}
	switch st.name {
	case "retain_history":
		return s.c.opts.RetainHistory.String(), true
	case "subscription_memory":
		return itoa(s.c.opts.SubscriberBytes>>20) + "MB", true
	case settingQueryMemory:
		return memoryText(s.c.memory.share(shareStatement)), true
	case "session_authorization":
		return s.user, true
	case "mz_version":
		return "millrace " + s.c.opts.Version, true
	default:
		return st.initial, true
	}
}

// set changes a setting.
func (s *settings) set(name, value string) *repr.Error {
	st := findSetting(name)
	if st == nil {
		if strings.Contains(name, ".") { // a custom setting, as PostgreSQL has them
			s.values[strings.ToLower(name)] = value
			return nil
		}
		return repr.NewError(repr.CodeUndefinedObject, "unrecognized configuration parameter \""+name+"\"").
			WithHint("SHOW ALL lists the settings there are")
	}
	if st.fixed {
		return repr.NewError("55P02", "parameter \""+st.name+"\" cannot be changed")
	}
	if st.check != nil {
		v, err := st.check(value)
		if err != nil {
			return repr.NewError(repr.CodeInvalidParameter, "invalid value for parameter \""+st.name+"\": \""+value+"\"").
				WithHint(err.Hint)
		}
		value = v
	}
	if st.name == settingQueryMemory {
		if err := s.checkQueryMemory(value); err != nil {
			return err
		}
	}
	s.values[strings.ToLower(name)] = value
	s.opts = nil
	return nil
}

func (s *settings) reset(name string) {
	if name == "" {
		s.values = map[string]string{}
	}
	delete(s.values, strings.ToLower(name))
	s.opts = nil
}

// reported are the settings that the client is told, with their values.
func (s *settings) reported() map[string]string {
	out := map[string]string{}
	for i := range settingTable {
		if st := &settingTable[i]; st.reported {
			out[st.name], _ = s.get(st.name)
		}
	}
	return out
}

// wants says whether messages of a severity go to the client.
func (s *settings) wants(severity string) bool {
	level, _ := s.get("client_min_messages")
	switch level {
	case "error":
		return false
	case "warning":
		return severity != "NOTICE"
	default:
		return true
	}
}

// searchPath is the search path as schema names.
func (s *settings) searchPath(user string) []string {
	v, _ := s.get("search_path")
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		if strings.HasPrefix(part, "\"") && strings.HasSuffix(part, "\"") && len(part) > 1 {
			part = part[1 : len(part)-1]
		}
		if part == "$user" {
			part = user
		}
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// timeout reads a setting that is a duration; 0 is none.
func (s *settings) timeout(name string) time.Duration {
	v, _ := s.get(name)
	d, _ := parseDuration(v)
	return d
}

// text says how values print.
func (s *settings) text() *pgfmt.Options {
	if s.opts != nil {
		return s.opts
	}
	zone, _ := s.get("TimeZone")
	loc, err := time.LoadLocation(zoneName(zone))
	if err != nil {
		loc = time.UTC
	}
	style, _ := s.get("IntervalStyle")
	digits, _ := s.get("extra_float_digits")
	n, _ := strconv.Atoi(digits)
	output, _ := s.get("bytea_output")
	date, _ := s.get("DateStyle")
	s.opts = &pgfmt.Options{TimeZone: loc, IntervalStyle: intervalStyles[style], FloatDigits: n - 1, ByteaEscape: output == "escape",
		DateOrder: dateOrders[date[len(date)-3:]]}
	s.opts.RegName = func(k repr.Kind, oid uint32) (string, bool) {
		return catalogReader{snap: s.c.Catalog(), path: s.searchPath(catalog.DefaultUser)}.regName(k, oid)
	}
	return s.opts
}

// intervalStyles and dateOrders are the values of the settings in the words of pgfmt.
var (
	intervalStyles = map[string]pgfmt.IntervalStyle{"postgres": pgfmt.IntervalPostgres, "postgres_verbose": pgfmt.IntervalVerbose,
		"sql_standard": pgfmt.IntervalSQLStandard, "iso_8601": pgfmt.IntervalISO8601}
	dateOrders = map[string]pgfmt.DateOrder{"MDY": pgfmt.OrderMDY, "DMY": pgfmt.OrderDMY, "YMD": pgfmt.OrderYMD}
)

// all lists name, value and description of every setting, sorted by name.
func (s *settings) all() [][]string {
	var out [][]string
	for i := range settingTable {
		v, _ := s.get(settingTable[i].name)
		out = append(out, []string{settingTable[i].name, v, settingTable[i].about})
	}
	sort.Slice(out, func(i, j int) bool { return strings.ToLower(out[i][0]) < strings.ToLower(out[j][0]) })
	return out
}

func oneOf(allowed ...string) func(string) (string, *repr.Error) {
	return func(v string) (string, *repr.Error) {
		for _, a := range allowed {
			if strings.EqualFold(a, v) {
				return a, nil
			}
		}
		return "", (&repr.Error{}).WithHint("available values: " + strings.Join(allowed, ", "))
	}
}

func checkBool(v string) (string, *repr.Error) {
	switch strings.ToLower(v) {
	case "on", "true", "yes", "1", "t":
		return "on", nil
	case "off", "false", "no", "0", "f":
		return "off", nil
	}
	return "", (&repr.Error{}).WithHint("a truth value is needed: on or off")
}

func checkInt(low, high int) func(string) (string, *repr.Error) {
	return func(v string) (string, *repr.Error) {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return "", (&repr.Error{}).WithHint("a number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high) + " is needed")
		}
		return strconv.Itoa(n), nil
	}
}

func checkEncoding(v string) (string, *repr.Error) {
	switch strings.ToUpper(strings.ReplaceAll(v, "-", "")) {
	case "UTF8", "UNICODE", "SQL_ASCII":
		return "UTF8", nil
	}
	return "", (&repr.Error{}).WithHint("the encoding is UTF8")
}

func checkDateStyle(v string) (string, *repr.Error) {
	order := "MDY"
	for part := range strings.SplitSeq(v, ",") {
		switch p := strings.ToUpper(strings.TrimSpace(part)); p {
		case "ISO", "":
		case "MDY", "DMY", "YMD":
			order = p
		default:
			return "", (&repr.Error{}).WithHint("the style is ISO, with MDY, DMY or YMD")
		}
	}
	return "ISO, " + order, nil
}

func checkTimeZone(v string) (string, *repr.Error) {
	if _, err := time.LoadLocation(zoneName(v)); err != nil {
		return "", (&repr.Error{}).WithHint("a name such as UTC or Europe/Amsterdam is needed")
	}
	return v, nil
}

// zoneName is the name that the time zone database knows.
func zoneName(v string) string {
	switch strings.ToUpper(v) {
	case "UTC", "GMT", "Z", "DEFAULT", "LOCAL", "0":
		return "UTC"
	}
	return v
}

func checkDuration(v string) (string, *repr.Error) {
	if _, ok := parseDuration(v); !ok {
		return "", (&repr.Error{}).WithHint("a number of milliseconds, or a number with ms, s, min or h, is needed")
	}
	return v, nil
}

// parseDuration reads PostgreSQL's durations: a plain number is milliseconds.
func parseDuration(v string) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
		return time.Duration(n) * time.Millisecond, true
	}
	d, err := time.ParseDuration(strings.Replace(strings.ReplaceAll(v, " ", ""), "min", "m", 1))
	return d, err == nil && d >= 0
}
