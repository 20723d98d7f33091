package journal

import (
	"testing"

	"millrace/internal/sim"
)

// TestNoRecordIsOutOfSight: who looks while a segment ends and another begins sees all records.
func TestNoRecordIsOutOfSight(t *testing.T) {
	t.Parallel()
	j, err := Open(Options{FS: sim.NewDisk(1), Dir: "d", SegmentBytes: 256})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(1); n <= 4000; n++ {
			c, err := j.Append(&Record{Time: n, Notes: []Note{{Key: "k", Value: make([]byte, 100)}}})
			if err == nil {
				err = c.Wait()
			}
			if err != nil {
				t.Error(err)
				return
			}
			j.Hold(n)
		}
	}()
	seen := uint64(0)
	for {
		last := j.State().Last
		if last < seen {
			t.Errorf("record %d was seen, and then only those up to %d", seen, last)
			break
		}
		seen = last
		select {
		case <-done:
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
	<-done
}
