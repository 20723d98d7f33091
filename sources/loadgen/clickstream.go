package loadgen

import (
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/sources/generator"
)

// The shape of a site of news. Many readers are on it at a time, each in a session of a few clicks, behind which comes a record of the
// session. The records of a place go round: sixteen of them are three sessions, so that each can be made up from its number alone.
const (
	clickPlaces   = 40 // sessions at a time
	clickRound    = 16 // records of a place that are three sessions
	clickSessions = 3
	clickReaders  = 5_000
	firstSession  = 14_330_000
)

// clickstream makes up the records of such a site.
type clickstream struct {
	seed    int64
	n       int64
	columns repr.RowDesc
	format  Format
	include []Include
	text    []byte
}

// clickParts are what of a record can be a column.
var clickParts = []string{"KEY", "PARTITION", "OFFSET", "TIMESTAMP"}

var partTypes = map[string]repr.Type{
	"KEY": generator.Text, "PARTITION": generator.Int4, "OFFSET": generator.Int8, "TIMESTAMP": generator.Timestamp,
}

// valueColumns are the columns of the value, as a source of Kafka has them.
var valueColumns = map[Format]repr.Column{
	FormatOwn: generator.Column("text", generator.Text), FormatText: generator.Column("text", generator.Text),
	FormatBytes: generator.Column("data", repr.TypeOf(repr.KindBytea)), FormatJSON: generator.Column("data", repr.TypeOf(repr.KindJSONB)),
}

func newClickstream(cfg *Config) (world, error) {
	c := &clickstream{seed: int64(cfg.Seed), format: cfg.Format, include: cfg.Include, columns: repr.RowDesc{valueColumns[cfg.Format]}}
	for _, in := range cfg.Include {
		name := in.As
		if name == "" {
			name = strings.ToLower(in.What)
		}
		c.columns = append(c.columns, generator.Column(name, partTypes[in.What]))
	}
	return c, nil
}

func (c *clickstream) tables() []generator.Table {
	return []generator.Table{{Name: "clickstream", Columns: c.columns}}
}

func (*clickstream) first() int64 { return 0 }

func (c *clickstream) seek(step int64) { c.n = step }

func (c *clickstream) next(at func(int64) int64) []generator.Change {
	n := c.n
	c.n++
	r := clickRecord{micros: at(n), visit: c.visit(n)}
	c.text = r.append(c.text[:0])
	var row []repr.Datum
	switch c.format {
	case FormatBytes:
		row = append(row, repr.Bytea(append([]byte(nil), c.text...)))
	case FormatJSON:
		normal, err := jsonb.Normalize(nil, c.text)
		if err != nil {
			return nil // what append writes parses; the tests hold it
		}
		row = append(row, repr.JSONB(normal))
	default:
		row = append(row, repr.Text(string(c.text)))
	}
	for _, in := range c.include {
		switch in.What {
		case "KEY":
			row = append(row, repr.Text(strconv.FormatInt(r.session, 10)))
		case "PARTITION":
			row = append(row, repr.Int4(0))
		case "OFFSET":
			row = append(row, repr.Int8(n))
		default:
			row = append(row, repr.Timestamp(r.micros/1000*1000+to2000))
		}
	}
	return []generator.Change{{New: row}}
}

// visit says which session the n-th record is of, and how far it has come.
type visit struct {
	session int64
	clicks  int    // so far
	ended   bool   // the record is that of the session
	chance  uint64 // of the session
	seed    int64
}

func (c *clickstream) visit(n int64) visit {
	place, nth := n%clickPlaces, n/clickPlaces
	round, at := nth/clickRound, nth%clickRound
	draw := generator.ChanceOf(c.seed, 1, place, round)
	first := 2 + draw.Below(6)
	second := first + 2 + draw.Below(6)
	begin, end, which := int64(0), first, int64(0)
	switch {
	case at >= second:
		begin, end, which = second, clickRound, 2
	case at >= first:
		begin, end, which = first, second, 1
	}
	session := firstSession + (round*clickPlaces+place)*clickSessions + which
	return visit{session: session, clicks: int(min(at-begin+1, end-begin-1)), ended: at == end-1, chance: generator.ChanceOf(c.seed, 2, session).State, seed: c.seed}
}

// clickRecord is a click, or the end of a session.
type clickRecord struct {
	micros int64
	visit
}

// append writes the record as JSON. What is quoted are words of our own, with nothing in them to escape.
func (r *clickRecord) append(dst []byte) []byte {
	draw := &generator.Chance{State: r.chance}
	reader := draw.Below(clickReaders)
	agent, campaign := draw.Pick(clickAgents), campaigns[draw.Below(int64(len(campaigns)))]
	states := []string{clickStates[0]}
	content, sub := clickContents[0].name, clickContents[0].parts[0]
	for len(states) < r.clicks {
		states = append(states, clickStates[draw.Below(int64(len(clickStates)))])
		of := clickContents[draw.Below(int64(len(clickContents)))]
		content, sub = of.name, draw.Pick(of.parts)
	}
	status := "200"
	if draw.OneIn(50) {
		status = "404"
	}
	kind, state := "click", states[len(states)-1]
	if r.ended {
		kind, state = "session", "exitSession"
	}
	dst = append(dst, `{"timestamp":`...)
	dst = strconv.AppendInt(dst, r.micros/1_000_000, 10)
	dst = append(dst, '.')
	dst = append(dst, strconv.FormatInt(1_000_000+r.micros%1_000_000, 10)[1:]...)
	dst = member(dst, "recordType", kind)
	dst = member(dst, "url", "https://news.example.com/"+state+"/"+content+"/"+strings.ReplaceAll(sub, " ", "-"))
	dst = member(dst, "useragent", agent)
	dst = member(dst, "statuscode", status)
	dst = member(dst, "state", state)
	dst = append(dst, `,"statesVisited":["`...)
	dst = append(dst, strings.Join(states, `","`)...)
	dst = append(dst, `"],"sid":`...)
	dst = strconv.AppendInt(dst, r.session, 10)
	dst = r.appendReader(dst, reader)
	dst = member(dst, "campaign", campaign.name)
	dst = member(dst, "channel", campaign.channel)
	dst = member(dst, "contentId", content)
	dst = member(dst, "subContentId", sub)
	return append(dst, '}')
}

// appendReader writes who it is that clicks.
func (r *clickRecord) appendReader(dst []byte, reader int64) []byte {
	draw := generator.ChanceOf(r.seed, 3, reader)
	dst = member(dst, "uid", strconv.FormatUint(draw.Next()|1<<63, 16))
	dst = append(dst, `,"isSubscriber":`...)
	dst = append(dst, '0'+byte(draw.Below(4)/3))
	dst = member(dst, "gender", draw.Pick(clickGenders))
	dst = member(dst, "age", draw.Pick(clickAges))
	p := clickTowns[draw.Below(int64(len(clickTowns)))]
	dst = member(dst, "latitude", p.latitude)
	dst = member(dst, "longitude", p.longitude)
	dst = member(dst, "place_name", p.name)
	dst = member(dst, "country_code", p.country)
	return member(dst, "timezone", p.zone)
}

func member(dst []byte, name, value string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":"`...)
	dst = append(dst, value...)
	return append(dst, '"')
}
