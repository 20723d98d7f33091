package file

import "bytes"

// mostRecord is how long a record can be.
const mostRecord = 16 << 20

var bom = []byte("\xef\xbb\xbf")

// lines takes what is read of a file apart: a record ends with a line, of CSV with one on which no quote is open.
type lines struct {
	quotes bool // a line does not end inside quotes
	buf    []byte
	at     int   // where the next record begins in buf
	looked int   // how far it was looked through without finding its end
	open   bool  // there is an open quote there
	passed int64 // bytes in front of at, since the beginning
}

// add takes bytes that follow those so far.
func (l *lines) add(b []byte) {
	if l.at > 0 {
		n := copy(l.buf, l.buf[l.at:])
		l.buf, l.looked, l.at = l.buf[:n], l.looked-l.at, 0
	}
	l.buf = append(l.buf, b...)
}

// next is the next record that is complete, with the end of its line; it is good until bytes are added.
func (l *lines) next() (record []byte, ok bool) {
	l.looked = max(l.looked, l.at)
	for {
		n := bytes.IndexByte(l.buf[l.looked:], '\n')
		if n < 0 {
			if l.quotes && bytes.Count(l.buf[l.looked:], []byte(`"`))%2 == 1 {
				l.open = !l.open
			}
			l.looked = len(l.buf)
			return nil, false
		}
		if l.quotes && bytes.Count(l.buf[l.looked:l.looked+n], []byte(`"`))%2 == 1 {
			l.open = !l.open
		}
		l.looked += n + 1
		if !l.open {
			return l.take(l.looked), true
		}
	}
}

// rest is what comes behind the last record that is complete.
func (l *lines) rest() []byte {
	l.open = false
	return l.take(len(l.buf))
}

func (l *lines) take(to int) []byte {
	record := l.buf[l.at:to]
	l.passed += int64(len(record))
	l.at, l.looked = to, to
	return record
}

// waiting is how many bytes of a record are there that is not complete.
func (l *lines) waiting() int { return len(l.buf) - l.at }
