package journal

// A row that is folded is written again each time its run is merged with others. So runs are merged late: when there are a few of
// a size, or when too much of what they hold is no longer there.
const (
	tierRuns  = 16      // so many of a size become one
	tierSpan  = 4       // a run up to so many times as large is of a size with what is newer
	tinyBytes = 1 << 20 // runs this small are merged when what is newer has half their size: many files cost more
	majorPart = 8       // what is newer than the oldest run has at least this part of its size before all is merged for space
)

// mergeFrom says which runs of a collection, the oldest first, are merged with new rows of a size: those from the n-th on. live
// is what the new rows add to the size of what is there.
func mergeFrom(runs []run, size, live int64) (n int) {
	if tooLarge(runs, size, live) {
		return 0
	}
	n = len(runs)
	for {
		span, most := int64(tierSpan), tierRuns-1
		if size < tinyBytes {
			span, most = 2, 1
		}
		like := n
		for like > 0 && runs[like-1].Bytes < span*size {
			like--
		}
		if n-like < most {
			return n
		}
		for _, r := range runs[like:n] {
			size += r.Bytes
		}
		n = like
	}
}

// tooLarge says whether the runs take more than one and a half times what is there, and merging them all is worth its time.
func tooLarge(runs []run, size, live int64) bool {
	if len(runs) == 0 {
		return false
	}
	newer := size
	for i, r := range runs {
		if i > 0 {
			newer += r.Bytes
		}
		if r.Size > 0 {
			live += r.Live
		} else {
			live += r.Bytes
		}
	}
	return newer >= runs[0].Bytes/majorPart && 2*(runs[0].Bytes+newer) > 3*live
}
