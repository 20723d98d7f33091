package repr

import "math"

// Time is a logical time: milliseconds since the Unix epoch that only grow. A collection's content at t
// is the sum of all diffs with time at most t.
type Time uint64

// MaxTime is later than every time of a tick. A collection whose upper is MaxTime never changes again.
const MaxTime Time = math.MaxUint64

// Diff is the signed count of an update: positive for an insertion, negative for a retraction.
type Diff = int64
