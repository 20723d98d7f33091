package sim

import "fmt"

// connection is a connection to a database, made when there is none; nil when that fails.
func (r *run) connection() *object {
	known := func() *object { return r.one(func(o *object) bool { return o.kind == aConnection }) }
	if o := known(); o != nil {
		return o
	}
	o := object{kind: aConnection, schema: r.anySchema(), name: r.name("c")}
	r.define("CREATE CONNECTION "+o.full()+" TO POSTGRES (HOST 'nowhere', DATABASE 'd', USER 'u') WITH (VALIDATE = false)", r.made(o))
	if r.failed != nil {
		return nil
	}
	return known()
}

// alterConnection has a connection lead elsewhere: sinks connect by it anew, and write nothing twice.
func (r *run) alterConnection() {
	o := r.one(func(o *object) bool { return o.kind == aConnection })
	if o == nil {
		return
	}
	r.counts.add("altered connections", 1)
	r.define(fmt.Sprintf("ALTER CONNECTION %s SET (HOST = 'nowhere%d', VALIDATE = false)", o.full(), r.rng.IntN(100)),
		altered(o.id, func(*object) {}))
}
