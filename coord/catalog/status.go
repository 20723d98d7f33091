package catalog

import (
	"time"

	"millrace/repr"
)

// Status is what runs and how far it is, at one moment.
type Status struct {
	Complete      repr.Time // the newest complete tick
	Ticks         int64
	Objects       map[uint64]ObjectStatus // by number
	Subscriptions []SubscriptionStatus
	Named         map[uint64]NamedStatus // by number
	Shared        []SharedStatus         // by collection
	Parts         []PartStatus           // by number
	Held          []HeldStatus
}

// PartStatus is a part of the plans of several views that is kept once.
type PartStatus struct {
	ID      uint64
	Name    string // of the view whose content it is, or its own
	Users   []PartUser
	Unnamed bool // it is the content of no view of the catalog
}

// PartUser is a view that reads a part, or a part that reads another one.
type PartUser struct {
	ID   uint64
	Name string
}

// HeldStatus is something in memory that is no object by itself.
type HeldStatus struct {
	Object uint64 // of which object it is a part; 0: of none
	Name   string
	Rows   int64
	Bytes  int64
}

// SharedStatus is an arrangement of a collection that views share.
type SharedStatus struct {
	Collection uint64
	Label      string
	Rows       int64
	Bytes      int64
	Users      int // views that read it
}

// ObjectStatus is the state of one object that runs.
type ObjectStatus struct {
	ID            uint64
	Name          string
	Status        string // starting, filling, waiting, running, stalled or failed
	Progress      string // of a view that is filling; of one that is waiting, for what
	Error         string
	Hint          string
	Rows          int64 // distinct rows kept
	Errors        int64 // rows of the err stream
	Bytes         int64 // of the kept rows
	FlowBytes     int64 // of a view's operators
	Upper         repr.Time
	Since         repr.Time
	Ticks         int   // that changed it since then, about
	PastBytes     int64 // of their batches
	Good          int64 // records read or written
	Bad           int64 // records that could not be decoded, or changes that a sink left out
	ReadBytes     int64
	Letters       int64 // bad records written to the topic of dead letters
	ErrorsKept    int64 // rows of <source>_errors, or <sink>_errors
	ErrorsDropped int64 // rows that went from there, for there was no room or they were too old
	NewestMS      int64 // the newest record's timestamp
	CaughtUp      bool
	Filled        int64 // rows of the first content of a table that a source feeds
	FillTotal     int64 // about how many it has
	Partitions    []PartitionStatus
	Log           *LogStatus // of a source that reads a log
	Operators     []OperatorStatus
	ViewErrors    []ViewError // some of them
}

// ViewError is an error in the content of a view.
type ViewError struct {
	Code    string // SQLSTATE
	Message string
	Detail  string
	Rows    int64
}

// PartitionStatus is how far one partition of a source was read.
type PartitionStatus struct {
	Partition int32
	Next      int64
	High      int64
}

// LogStatus is how far a source has read a log, as sources.Position says it.
type LogStatus struct {
	Slot                                string
	Read, Durable, Confirmed, Kept, End int64
	AskedMS, BehindMS                   int64
	Open, OpenBytes, SpilledBytes       int64
}

// Lag is how many bytes of the log there are that were not read.
func (l *LogStatus) Lag() int64 { return max(l.End-l.Read, 0) }

// Retained is how many bytes of the log the other side keeps for the source.
func (l *LogStatus) Retained() int64 {
	if l.Kept == 0 {
		return 0
	}
	return max(l.End-l.Kept, 0)
}

// OperatorStatus is the work of one operator of a view.
type OperatorStatus struct {
	Number   int // in the view's dataflow
	Label    string
	RowsIn   int64
	RowsOut  int64
	RowsHeld int64
	Bytes    int64
	Elapsed  time.Duration // over all workers
}

// SubscriptionStatus is one subscription.
type SubscriptionStatus struct {
	Object    uint64
	HeldBytes int64
}

// NamedStatus is how far the reader of a subscription of the catalog has come.
type NamedStatus struct {
	Acknowledged repr.Time // 0: nothing was
	NeededFrom   repr.Time // what comes behind it is still to be read
	RetainFor    time.Duration
	Readers      int    // at the moment
	Status       string // reading, idle, lost: more than it retains was not acknowledged; or failed
}

// Of is the state of an object; an object that does not run by itself is "running".
func (s *Status) Of(it *Item) ObjectStatus {
	if it.Failed != nil {
		return ObjectStatus{ID: it.ID, Name: it.Name, Status: "failed", Error: it.Failed.Error(), Hint: it.Failed.Hint}
	}
	if o, ok := s.Objects[it.ID]; ok {
		return o
	}
	return ObjectStatus{ID: it.ID, Name: it.Name, Status: "running"}
}
