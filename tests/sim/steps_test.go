package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/coord"
	"millrace/repr"
)

// action is something that may happen, as often as its weight says.
type action struct {
	weight int
	do     func(r *run)
}

var actions = []action{
	{30, (*run).write},
	{4, (*run).writeFromSources},
	{14, (*run).readSome},
	{5, (*run).createTable},
	{8, (*run).createView},
	{3, (*run).createBlock},
	{3, (*run).createIndex},
	{4, (*run).createSource},
	{3, (*run).createSink},
	{3, (*run).createSubscription},
	{8, (*run).takeUp},
	{3, (*run).drop},
	{2, (*run).rename},
	{2, (*run).comment},
	{1, (*run).schema},
	{10, (*run).produce},
	{3, (*run).createLedger},
	{8, (*run).commit},
	{2, (*run).createCounter},
	{2, (*run).alterConnection},
	{3, (*run).alterSource},
	{3, (*run).alterHistory},
	{4, (*run).readErrors},
	{2, (*run).createHook},
	{8, (*run).post},
	{14, (*run).sleep},
	{5, (*run).watch},
	{3, (*run).watchPast},
	{2, (*run).unwatch},
	{6, (*run).readBack},
	{2, func(r *run) { r.disk.Crash() }},
	{3, func(r *run) { r.disk.CrashAfter(r.rng.IntN(60)) }},
	{1, (*run).restart},
	{1, func(r *run) { r.disk.FailSync(r.rng.IntN(10)) }},
	{1, func(r *run) { r.disk.FailWrite(r.rng.IntN(20)) }},
	{2, func(r *run) { r.disk.FailRead(r.rng.IntN(20)) }},
	{2, (*run).fillUp},
	{2, (*run).setClock},
	{2, func(r *run) { r.slow.Store([]int64{1, 1, 20, 300}[r.rng.IntN(4)]) }},
}

// step lets something happen.
func (r *run) step() {
	sum := 0
	for _, a := range actions {
		sum += a.weight
	}
	n := r.rng.IntN(sum)
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			a.do(r)
			return
		}
	}
}

// finish ends a life in peace: everything is answered and as it should be, also after one more start.
func (r *run) finish() {
	r.makeRoom()
	r.slow.Store(1)
	r.disk.CrashAfter(-1)
	r.disk.FailSync(-1)
	r.disk.FailWrite(-1)
	r.disk.FailRead(-1)
	r.published()
	r.turns.wait(3*time.Second, driver)
	r.settle()
	r.poll()
	if r.survive(); r.failed != nil {
		return
	}
	for range 2 { // the log may break once more
		r.relent()
		r.survive()
	}
	if r.lookAll(); r.failed == nil {
		r.restart()
	}
	if r.failed == nil {
		r.catchUp()
	}
	if r.failed == nil {
		r.look()
		r.drained()
		r.counted()
		r.readUp()
	}
}

func (r *run) lookAll() {
	if r.look(); r.failed == nil && len(r.model.worlds) != 1 {
		r.fail("%d states are still possible", len(r.model.worlds))
	}
}

// some are objects that are so.
func (r *run) some(so func(*object) bool) []*object {
	return slices.DeleteFunc(r.model.state().sorted(), func(o *object) bool { return !so(o) })
}

// one is any object that is so; nil when there is none.
func (r *run) one(so func(*object) bool) *object {
	list := r.some(so)
	if len(list) == 0 {
		return nil
	}
	return list[r.rng.IntN(len(list))]
}

func isTable(o *object) bool { return o.kind == aTable }

// name is a name that was never used.
func (r *run) name(letter string) string {
	r.number++
	return fmt.Sprintf("%s%d", letter, r.number)
}

func (r *run) anySchema() string {
	s := r.model.state().schemas
	return s[r.rng.IntN(len(s))]
}

// define changes the catalog and waits for it.
func (r *run) define(text string, apply func(s *state) bool) {
	r.say("define: %s", text)
	c := &change{text: text, apply: apply}
	r.model.begin(c)
	r.wait(r.reader.start(text, c))
	r.answer(r.reader)
}

// createBlock makes objects in a transaction block, fills one and changes a table that was there. The block is taken back as often
// as not, and some end with the machine. What it does is there as a whole or not at all.
func (r *run) createBlock() {
	if len(r.some(isTable)) >= 5 || len(r.some(func(o *object) bool { return o.shape != nil })) >= 10 {
		return
	}
	r.counts.add("blocks", 1)
	there := r.one(isTable)
	table := object{kind: aTable, schema: r.anySchema(), name: r.name("t")}
	first := &change{text: r.tableText(&table)}
	first.apply = r.made(table)
	table.id = r.number
	view := object{kind: aMaterialized, schema: r.anySchema(), name: r.name("v"), shape: &shapes[r.rng.IntN(len(shapes))], in: []int{table.id}}
	if view.shape.inputs == 2 {
		view.in = []int{table.id, table.id}
	}
	second := &change{text: "CREATE MATERIALIZED VIEW " + view.full() + r.retention(&view) + " AS " + view.shape.query([]string{table.full()})}
	second.apply = r.made(view)
	view.id = r.number
	steps := []*change{first, second, r.insert(&table)}
	if there != nil {
		steps = append(steps, r.anyOf(r.insert, r.update, r.deleteFrom)(there))
	}
	all := &change{apply: func(s *state) bool {
		return !slices.ContainsFunc(steps, func(c *change) bool { return !c.apply(s) })
	}}
	texts := []string{"BEGIN"}
	for _, c := range steps {
		texts = append(texts, c.text)
	}
	r.runBlock(texts, all)
}

// runBlock runs a block to its end, or until the power goes.
func (r *run) runBlock(texts []string, all *change) {
	ends := []string{"COMMIT", "COMMIT", "ROLLBACK", ""}
	end := ends[r.rng.IntN(len(ends))]
	all.text = strings.Join(texts, "; ")
	if end != "" {
		all.text += "; " + end
	}
	r.say("define: %s", all.text)
	r.model.begin(all)
	c := r.reader.start(all.text, all)
	c.undone = end != "COMMIT"
	r.wait(c)
	if end == "" {
		r.counts.add("blocks without an end", 1)
		r.disk.Crash()
	}
	r.answer(r.reader)
}

// anyOf is one of several ways to change a table.
func (r *run) anyOf(ways ...func(*object) *change) func(*object) *change {
	return ways[r.rng.IntN(len(ways))]
}

func (r *run) made(o object) func(s *state) bool {
	r.number++
	o.id = r.number
	return func(s *state) bool {
		for _, in := range o.in {
			if s.objects[in] == nil {
				return false
			}
		}
		if !slices.Contains(s.schemas, o.schema) {
			return false
		}
		s.objects[o.id] = &o
		if o.kind == aTable || o.hook {
			s.rows[o.id] = bag{}
		}
		return true
	}
}

func (r *run) createTable() {
	if len(r.some(isTable)) >= 5 {
		return
	}
	o := object{kind: aTable, schema: r.anySchema(), name: r.name("t")}
	r.define(r.tableText(&o), r.made(o))
}

func (r *run) tableText(o *object) string {
	return "CREATE TABLE " + o.full() + " (k bigint NOT NULL, v bigint NOT NULL)" + r.retention(o)
}

// retention lets some objects keep a history of their own, shorter or longer than that of others.
func (r *run) retention(o *object) string {
	if r.rng.IntN(4) > 0 {
		return ""
	}
	r.counts.add("histories", 1)
	o.retain = 1000 + r.rng.Int64N(40_000)
	return fmt.Sprintf(" WITH (RETAIN HISTORY FOR '%d milliseconds')", o.retain)
}

func (r *run) createSource() {
	if len(r.some(func(o *object) bool { return o.topic != nil })) >= 3 {
		return
	}
	t := newTopic(r.name("topic"), r.rng.IntN(2) == 0, topics+len(r.topics.all())%(targets-topics))
	t.high = [partitions]int64{r.rng.Int64N(5), r.rng.Int64N(5)}
	r.topics.put(t.name, t)
	o := object{kind: aSource, schema: r.anySchema(), name: r.name("f"), topic: t, fails: r.rng.IntN(4) == 0}
	with := ""
	if o.fails {
		with = " WITH (ON ERROR = fail)"
	}
	r.define("CREATE SOURCE "+o.full()+" FROM KAFKA BROKER 'nowhere:9092' TOPIC '"+t.name+"' FORMAT BYTES"+with, r.made(o))
}

func (r *run) createView() {
	s := r.model.state()
	shape := r.anyShape()
	if len(r.some(func(o *object) bool { return o.shape != nil })) >= 10 {
		return
	}
	o := object{kind: aMaterialized, schema: r.anySchema(), name: r.name("v"), shape: shape}
	word := "MATERIALIZED VIEW"
	if r.rng.IntN(3) == 0 {
		o.kind, word = aView, "VIEW"
	}
	var names []string
	for range shape.inputs {
		// Views do not stand too high, and what is multiplied is not a product.
		in := r.one(func(o *object) bool {
			return o.isRelation() && s.depth(o.id) < 3 && (shape.inputs == 1 || s.depth(o.id) == 0)
		})
		if in == nil {
			return
		}
		o.in, names = append(o.in, in.id), append(names, in.from())
	}
	retain := ""
	if o.isKept() {
		retain = r.retention(&o)
	}
	r.define("CREATE "+word+" "+o.full()+retain+" AS "+shape.query(names), r.made(o))
}

// anyShape is a form of view, some of which change with time.
func (r *run) anyShape() *shape {
	n := r.rng.IntN(len(shapes) + 3)
	if n < len(shapes) {
		return &shapes[n]
	}
	r.counts.add("views of time", 1)
	base := r.clock.Now().UnixMilli() + r.rng.Int64N(2000)
	if n == len(shapes) {
		return going(base)
	}
	return passing(base)
}

func (r *run) createIndex() {
	on := r.one((*object).isPlainKept)
	if on == nil || len(r.model.state().dependents(on.id)) > 3 {
		return
	}
	o := object{kind: anIndex, schema: on.schema, name: r.name("i"), in: []int{on.id}}
	r.define("CREATE INDEX "+o.name+" ON "+on.full()+" (k)", r.made(o))
}

// words are the kinds in SQL.
var words = map[string]string{aTable: "TABLE", aSource: "SOURCE", aView: "VIEW", aMaterialized: "MATERIALIZED VIEW", anIndex: "INDEX", aSink: "SINK",
	aSubscription: "SUBSCRIPTION", aConnection: "CONNECTION"}

func (r *run) drop() {
	o := r.one(func(*object) bool { return true })
	if o == nil {
		return
	}
	text := "DROP " + words[o.kind] + " " + o.full()
	if len(r.model.state().dependents(o.id)) > 0 {
		text += " CASCADE"
	}
	r.define(text, func(s *state) bool {
		if s.objects[o.id] == nil {
			return false
		}
		s.without(o.id)
		return true
	})
}

// altered makes a change of an object.
func altered(id int, f func(o *object)) func(s *state) bool {
	return func(s *state) bool {
		if s.objects[id] == nil {
			return false
		}
		o := *s.objects[id]
		f(&o)
		s.objects[id] = &o
		return true
	}
}

func (r *run) rename() {
	s := r.model.state()
	o := r.one(func(o *object) bool {
		return (o.kind == aTable || o.kind == aView || o.kind == aMaterialized) && len(s.dependents(o.id)) == 0
	})
	if o == nil {
		return
	}
	to := r.name("n")
	r.define("ALTER "+words[o.kind]+" "+o.full()+" RENAME TO "+to, altered(o.id, func(o *object) { o.name = to }))
}

func (r *run) comment() {
	o := r.one(func(o *object) bool { return o.kind == aTable || o.kind == aView || o.kind == aMaterialized })
	if o == nil {
		return
	}
	text := r.name("said ")
	r.define("COMMENT ON "+words[o.kind]+" "+o.full()+" IS '"+text+"'", altered(o.id, func(o *object) { o.comment = text }))
}

func (r *run) schema() {
	s := r.model.state()
	for _, n := range s.schemas[1:] {
		if len(r.some(func(o *object) bool { return o.schema == n })) == 0 {
			r.define("DROP SCHEMA "+n, func(s *state) bool {
				s.schemas = slices.DeleteFunc(slices.Clone(s.schemas), func(m string) bool { return m == n })
				return true
			})
			return
		}
	}
	name := r.name("s")
	r.define("CREATE SCHEMA "+name, func(s *state) bool {
		s.schemas = append(slices.Clone(s.schemas), name)
		return true
	})
}

// produce adds records to a topic.
func (r *run) produce() {
	o := r.one(func(o *object) bool { return o.topic != nil && o.topic.ledger == nil })
	if o == nil {
		return
	}
	if high, _ := o.topic.now(); high[0]+high[1] > 60 {
		return
	}
	p, n := r.rng.Int64N(partitions), 1+r.rng.Int64N(5)
	r.say("produce: %d records of %s/%d", n, o.topic.name, p)
	o.topic.produce(p, n)
}

// sleep lets time pass: most often little.
func (r *run) sleep() {
	d := time.Duration(r.rng.Int64N(int64(20 * time.Millisecond)))
	switch r.rng.IntN(8) {
	case 0:
		d *= 200
	case 1, 2:
		d *= 20
	}
	r.turns.wait(d, driver)
}

// fillUp fills the disk, or makes room again.
func (r *run) fillUp() {
	if r.full {
		r.makeRoom()
		return
	}
	r.full = true
	r.disk.SetLimit(r.disk.Bytes() + r.rng.Int64N(3000))
}

// setClock sets the clock on the wall, by as much as an hour.
func (r *run) setClock() {
	r.published()
	shifts := []time.Duration{0, time.Hour, -time.Hour, time.Second, -time.Second}
	r.clock.shift.Store(int64(shifts[r.rng.IntN(len(shifts))]))
}

// readSome reads some relations at one time.
func (r *run) readSome() {
	list := r.some((*object).isRelation)
	if len(list) == 0 {
		return
	}
	r.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	r.read(list[:min(len(list), 1+r.rng.IntN(3))])
	if o := list[0]; r.failed == nil && o.kind != aView {
		r.lookUp(o)
	}
}

// lookUp asks for the rows of one k, which an index may have. What it says must be so at some time since the read before it.
func (r *run) lookUp(o *object) {
	k := r.rng.Int64N(8)
	c := r.ask(fmt.Sprintf("BEGIN; SELECT k, v FROM %s AS q WHERE k = %d; SELECT k, v FROM %s AS q; COMMIT", o.from(), k, o.from()))
	if c.err != nil {
		if !unknown[c.err.Code] {
			r.fail("%s: %v", c.text, c.err)
		}
		return
	}
	want := bagOf(c.sets[1], 0)
	for p := range want {
		if p.k != k {
			delete(want, p)
		}
	}
	if got := bagOf(c.sets[0], 0); got.text() != want.text() {
		r.fail("%s has %s where k = %d, and in all %s", o.full(), got.text(), k, want.text())
	}
}

// readBack reads a relation as of a time at which it was shown.
func (r *run) readBack() {
	o := r.one((*object).isRelation)
	if o == nil || len(r.chronicle.spans[o.id]) == 0 {
		return
	}
	spans := r.chronicle.spans[o.id]
	s := spans[len(spans)-1-r.rng.IntN(min(len(spans), 20))]
	r.readPast(o, s, s.from+r.rng.Int64N(s.to-s.from))
}

// watch follows a relation.
func (r *run) watch() {
	if o := r.one((*object).isPlain); o != nil && len(r.watchers) < 5 {
		r.follow(o, "SUBSCRIBE "+o.full()+" WITH (PROGRESS)")
	}
}

// watchPast follows a relation from a time on at which it was shown, some no further than now.
func (r *run) watchPast() {
	o := r.one((*object).isPlainKept)
	if o == nil || len(r.chronicle.spans[o.id]) == 0 || len(r.watchers) >= 5 {
		return
	}
	spans := r.chronicle.spans[o.id]
	s := spans[len(spans)-1-r.rng.IntN(min(len(spans), 5))]
	text := fmt.Sprintf("SUBSCRIBE %s WITH (PROGRESS) AS OF %d", o.full(), s.from)
	if r.rng.IntN(2) == 0 {
		text += fmt.Sprintf(" UP TO %d", r.chronicle.newest+1)
	}
	r.follow(o, text)
}

func (r *run) follow(o *object, text string) {
	r.say("follow: %s", text)
	cl := r.connect()
	if cl == nil {
		return
	}
	ctx, cancel := context.WithTimeout(cl.ctx, patience)
	defer cancel()
	w := &watcher{o: o, cl: cl, text: text, held: bag{}}
	err := cl.each(ctx, text, func(res *coord.Result) *repr.Error {
		w.rows = res.Rows.(coord.Live)
		return nil
	})
	switch {
	case err == nil:
		r.counts.add("watchers", 1)
		r.watchers = append(r.watchers, w)
		return
	case err.Code == repr.CodeInvalidParameter:
		var at int64
		_, _ = fmt.Sscanf(text[strings.Index(text, "AS OF"):], "AS OF %d", &at)
		if now := r.complete(); at >= r.since(o.id, now) {
			r.fail("%s, at %d: %v", text, now, err)
		}
	case err.Code == repr.CodeQueryCanceled && r.full:
		r.makeRoom() // as in wait
	case !unknown[err.Code]:
		r.fail("%s: %v", text, err)
	}
	cl.s.Close()
}

// unwatch ends a watcher.
func (r *run) unwatch() {
	if len(r.watchers) == 0 {
		return
	}
	i := r.rng.IntN(len(r.watchers))
	r.watchers[i].rows.Close()
	r.watchers[i].cl.s.Close()
	r.watchers = slices.Delete(r.watchers, i, i+1)
}

// happens are what has to happen in some life, by its name in the counts.
var happens = []string{"done", "refused", "unknown", "reads", "as of", "watchers", "restarts", "views of time", "histories", "blocks", "taken up", "acknowledged", "blocks without an end", "writes from sources", "failed reads",
	"transactions over two topics", "reads of whole transactions",
	"load generators", "requests", "altered connections", "altered sources", "altered histories", "reads of errors", "transactions of sinks", "transactions into tables", "commits of files", "broken words to a target", "lost answers of a target"}
