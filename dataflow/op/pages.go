package op

import "unsafe"

// pageLen is the number of records of a page.
const (
	pageBits = 12
	pageLen  = 1 << pageBits
)

// pages are records of width values each, numbered from 0, which never move: there are as many as were added.
type pages[T any] struct {
	width int
	all   [][]T
	n     int
}

// of is a record.
func (p *pages[T]) of(i int) []T {
	at := (i & (pageLen - 1)) * p.width
	return p.all[uint(i)>>pageBits][at : at+p.width : at+p.width]
}

// reach adds empty records until there is one of that number.
func (p *pages[T]) reach(i int) {
	for p.n <= i {
		p.add()
	}
}

// add adds an empty record. The first page grows as it is filled, for there are many small lists; others are made whole.
func (p *pages[T]) add() {
	if p.n == len(p.all)*pageLen {
		var page []T
		if p.n > 0 {
			page = make([]T, 0, pageLen*p.width)
		}
		p.all = append(p.all, page)
	}
	page := &p.all[len(p.all)-1]
	var none T
	for range p.width {
		*page = append(*page, none)
	}
	p.n++
}

// bytes is the memory of the records.
func (p *pages[T]) bytes() int64 {
	if len(p.all) == 0 {
		return 0
	}
	var one T
	first, rest := cap(p.all[0]), (len(p.all)-1)*pageLen*p.width
	return int64(first+rest) * int64(unsafe.Sizeof(one))
}
