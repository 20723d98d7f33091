package sim

import "fmt"

// span is what a relation was shown to hold at all times from one on, up to another and without it.
type span struct {
	from, to int64
	text     string
}

// chronicle is what was shown.
type chronicle struct {
	spans  map[int][]span // by object
	newest int64          // the newest time at which anything was read
}

// spansKept is how many spans of an object are remembered.
const spansKept = 200

// note takes what was shown, and says what it contradicts.
func (c *chronicle) note(o *object, s span) string {
	if s.to <= s.from {
		return ""
	}
	known := c.spans[o.id]
	for i, old := range known {
		if old.to <= s.from || s.to <= old.from {
			continue
		}
		if old.text != s.text {
			return fmt.Sprintf("%s held at the times %d to %d\n  %s\nand now holds at %d to %d\n  %s", o.full(), old.from, old.to-1, old.text, s.from, s.to-1, s.text)
		}
		if old.from <= s.from && s.to <= old.to {
			return ""
		}
		if s.from <= old.from && old.to <= s.to {
			known[i] = s
			return ""
		}
	}
	known = append(known, s)
	if len(known) > spansKept {
		known = known[len(known)-spansKept:]
	}
	c.spans[o.id] = known
	return ""
}
