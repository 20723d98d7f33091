package catalog

import (
	"slices"
	"strconv"
)

// Holder is something that holds memory: an object, what objects share, or a part of the server.
type Holder struct {
	ID        string // of the object that it belongs to, as Materialize writes it; "s" of the server
	Name      string
	Rows      int64
	Bytes     int64
	FlowBytes int64 // of operators
}

// holding are the kinds of objects that hold memory.
var holding = []Kind{Table, Source, MaterializedView, Index}

// Holders are all that hold memory, with the names of the objects of a catalog.
func (s *Status) Holders(snap *Snapshot) []Holder {
	var out []Holder
	for _, it := range snap.Items() {
		if slices.Contains(holding, it.Kind) {
			o := s.Of(it)
			out = append(out, Holder{number(it.ID), it.Name, o.Rows, o.Bytes, o.FlowBytes})
		}
	}
	// What views share belongs to none of them: it is listed under the collection that is arranged.
	for _, sh := range s.Shared {
		if it := snap.Item(sh.Collection); it != nil {
			out = append(out, Holder{ID: number(it.ID), Name: it.Name + " (" + sh.Label + ")", Rows: sh.Rows, FlowBytes: sh.Bytes})
		}
	}
	for _, p := range s.Parts {
		if o := s.Objects[p.ID]; p.Unnamed {
			out = append(out, Holder{number(p.ID), p.Name, o.Rows, o.Bytes, o.FlowBytes})
		}
	}
	for _, h := range s.Held {
		one := Holder{ID: "s", Name: "(" + h.Name + ")", Rows: h.Rows, Bytes: h.Bytes}
		if it := snap.Item(h.Object); it != nil {
			one.ID, one.Name = number(it.ID), it.Name+" ("+h.Name+")"
		}
		out = append(out, one)
	}
	return out
}

// number is the number of an object as Materialize writes it.
func number(id uint64) string { return "u" + strconv.FormatUint(id, 10) }
