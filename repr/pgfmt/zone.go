package pgfmt

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // so that zones are the same on every machine that has none of its own

	"millrace/repr"
)

// zoneAbbrevs are the abbreviations of PostgreSQL's default set that people use, in seconds ahead of UTC.
var zoneAbbrevs = map[string]int{
	"z": 0, "zulu": 0, "utc": 0, "ut": 0, "gmt": 0, "uct": 0, "wet": 0, "west": 3600, "bst": 3600,
	"cet": 3600, "cest": 7200, "met": 3600, "mest": 7200, "eet": 7200, "eest": 10800, "msk": 10800, "msd": 14400,
	"ist": 7200, "idt": 10800, "sast": 7200, "cat": 7200, "eat": 10800,
	"est": -18000, "edt": -14400, "cst": -21600, "cdt": -18000, "mst": -25200, "mdt": -21600,
	"pst": -28800, "pdt": -25200, "akst": -32400, "akdt": -28800, "hst": -36000, "ast": -14400, "adt": -10800,
	"nst": -12600, "ndt": -9000, "brt": -10800, "art": -10800, "clt": -10800,
	"jst": 32400, "kst": 32400, "hkt": 28800, "sgt": 28800, "pht": 28800, "ict": 25200, "pkt": 18000,
	"aest": 36000, "aedt": 39600, "acst": 34200, "acdt": 37800, "awst": 28800, "nzst": 43200, "nzdt": 46800,
}

// zoneCache keeps zones that were loaded, which are as many as there are names of zones.
type zoneCache struct {
	mu    sync.RWMutex // guards zones
	zones map[string]*time.Location
}

var loaded = zoneCache{zones: map[string]*time.Location{}}

func (c *zoneCache) load(name string) (*time.Location, bool) {
	c.mu.RLock()
	loc, ok := c.zones[name]
	c.mu.RUnlock()
	if ok {
		return loc, true
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zones[name] = loc
	return loc, true
}

// Zone finds a time zone by its name in any case, its abbreviation, or a POSIX form such as UTC+3.
func Zone(name string) (*time.Location, *repr.Error) {
	if loc, ok := zoneNamed(name); ok {
		return loc, nil
	}
	return nil, repr.NewError(repr.CodeInvalidParameter, `time zone "`+name+`" not recognized`)
}

// SettingZone reads the value of the setting TimeZone: a zone, or hours ahead of UTC.
func SettingZone(value string) (*time.Location, *repr.Error) {
	if loc, ok := zoneNamed(value); ok {
		return loc, nil
	}
	if d, err := ParseNumeric(value); err == nil && d.NumericFinite() {
		f, err := parseFloat(repr.KindFloat8, value)
		if err == nil && f.Float() > -168 && f.Float() < 168 {
			return FixedZone(int(f.Float() * 3600)), nil
		}
	}
	return nil, repr.NewError(repr.CodeInvalidParameter, `invalid value for parameter "TimeZone": "`+value+`"`)
}

// FixedZone is the zone that is always so many seconds ahead of UTC.
func FixedZone(seconds int) *time.Location {
	if seconds == 0 {
		return time.UTC
	}
	return time.FixedZone("", seconds)
}

func zoneNamed(name string) (*time.Location, bool) {
	lower := strings.ToLower(name)
	if seconds, ok := zoneAbbrevs[lower]; ok {
		return FixedZone(seconds), true
	}
	if lower == "" || lower == "local" || strings.ContainsAny(name, " .:") {
		return posixZone(name)
	}
	for _, spelling := range []string{name, titleZone(lower), strings.ToUpper(name)} {
		if loc, ok := loaded.load(spelling); ok {
			return loc, true
		}
	}
	return posixZone(name)
}

// titleZone writes america/new_york as America/New_York.
func titleZone(lower string) string {
	b := []byte(lower)
	for i, c := range b {
		if c >= 'a' && c <= 'z' && (i == 0 || b[i-1] == '/' || b[i-1] == '_' || b[i-1] == '-') {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// posixZone reads letters and an offset that counts westward: UTC+3, <-03>3, EST5.
func posixZone(name string) (*time.Location, bool) {
	rest := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if strings.HasPrefix(name, "<") {
		i := strings.IndexByte(name, '>')
		if i < 0 {
			return nil, false
		}
		rest = name[i+1:]
	} else if n := len(name) - len(rest); n > 0 && n < 3 || n == 0 && rest != "" && rest[0] != '+' && rest[0] != '-' {
		return nil, false
	}
	if rest == "" {
		return nil, false
	}
	if rest[0] != '+' && rest[0] != '-' {
		rest = "+" + rest
	}
	seconds, err := parseOffset(rest)
	if err != dateOK {
		return nil, false
	}
	return FixedZone(-seconds), true
}

// parseOffset reads +hh, +hhmm, +hh:mm and +hh:mm:ss as seconds ahead of UTC.
func parseOffset(s string) (int, dateError) {
	parts := strings.Split(s[1:], ":")
	var n [3]int
	if len(parts) > 3 {
		return 0, dateBadFormat
	}
	for i, p := range parts {
		v, ok := smallInt(p)
		if !ok {
			return 0, dateBadFormat
		}
		n[i] = v
	}
	if len(parts) == 1 && len(parts[0]) > 2 {
		if len(parts[0]) > 4 {
			n[0], n[1], n[2] = n[0]/10000, n[0]/100%100, n[0]%100
		} else {
			n[0], n[1] = n[0]/100, n[0]%100
		}
	}
	if n[0] > 15 || n[1] > 59 || n[2] > 59 {
		return 0, dateZoneOverflow
	}
	seconds := n[0]*3600 + n[1]*60 + n[2]
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, dateOK
}

// smallInt reads up to nine digits.
func smallInt(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
