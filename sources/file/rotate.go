package file

import (
	"io"
	"os"
	"path"
	"time"
)

// Logs are rotated: a file gets another name, or is copied and cut, and a new one has its name. What was read of it is read on under the new
// name, and nothing twice. A file is known by its number to the system, and by its edges: its beginning, and what was read last of it.

// holdFor is how long a new file waits that holds the same as one that is followed: it may be a copy of it that is being made.
const holdFor = 10 * time.Second

// mostHold is how long it waits at most, and holdEmpty how long an empty one does.
const (
	mostHold  = 10 * time.Minute
	holdEmpty = 2 * time.Second
)

// settledFor is how old the time of a file must be before a file of this time and size counts as the one that was compared: file systems
// have clocks of coarse steps, and what is cut and written again to the same size within one of them has the same time.
const settledFor = 3 * time.Second

// candidate is a file that may be the copy of another.
type candidate struct {
	first time.Time // it was seen
	since time.Time // it did not grow
	size  int64
}

// placing finds out which of the names that are there is which file.
type placing struct {
	*reader
	root  *os.Root
	names []string
	infos map[string]os.FileInfo
	taken map[string]bool // names of files that are known
	freed map[string]bool // names of files that were cut: what comes there is new
	moved []*file         // files that have another name now, or another number
}

// placed gives every known file its name, and returns the names of files that are new.
func (r *reader) placed(root *os.Root, names []string) (fresh []string, moved []*file) {
	p := &placing{reader: r, root: root, names: names, infos: map[string]os.FileInfo{}, taken: map[string]bool{}, freed: map[string]bool{}}
	var lost []*file
	for _, f := range r.files {
		switch {
		case f.kept.Gone:
		case p.stays(f):
			p.taken[f.name] = true
		default:
			lost = append(lost, f)
		}
	}
	lost = p.each(lost, p.renamed)
	lost = p.each(lost, p.copied)
	for _, f := range lost {
		p.give(f)
	}
	for _, name := range names {
		if !p.taken[name] && !p.waits(name) {
			fresh = append(fresh, name)
		}
	}
	return fresh, p.moved
}

// stays says whether a file is where it was. The system gives the number of a file that was deleted to another one.
func (p *placing) stays(f *file) bool {
	info, was := p.info(f.name), f.kept.identity()
	switch {
	case was == (identity{}): // it was found by an older release
		return true
	case info == nil || identify(info) != was:
		return false
	case f.kept.Done:
		return !p.cfg.Tail || f.sameAsDone(info)
	default:
		return !p.cut(f, info)
	}
}

// each tries to find files, and gives those that were not.
func (p *placing) each(files []*file, find func(*file) bool) (rest []*file) {
	for _, f := range files {
		if !find(f) {
			rest = append(rest, f)
		}
	}
	return rest
}

// info is a file, looked at once.
func (p *placing) info(name string) os.FileInfo {
	info, ok := p.infos[name]
	if !ok {
		info = statIn(p.root, name)
		p.infos[name] = info
	}
	return info
}

// cut says whether a file that is followed holds less than was read of it, or has been written anew since it was cut.
func (p *placing) cut(f *file, info os.FileInfo) bool {
	if !p.cfg.Tail || f.kept.Done || p.isPacked(f.name) || info.Size() == f.at && info.ModTime().Equal(f.changed) {
		return false
	}
	if p.cfg.Clock.Now().Sub(info.ModTime()) > settledFor {
		f.changed = info.ModTime()
	}
	return info.Size() < f.at || f.kept.Length > 0 && !p.begins(f, f.name)
}

// where are the names under which a file may be now. One that is followed may have been given a name that the pattern does not mean.
func (p *placing) where(f *file) []string {
	if !p.cfg.Tail || f.kept.Done {
		return p.names
	}
	return append(beside(p.root, f.name), p.names...)
}

// renamed finds a file that has another name.
func (p *placing) renamed(f *file) bool {
	for _, name := range p.where(f) {
		info := p.info(name)
		if info == nil || p.taken[name] || name == f.name || identify(info) != f.kept.identity() || p.isPacked(name) != p.isPacked(f.name) {
			continue
		}
		if f.kept.Done && f.sameAsDone(info) || !f.kept.Done && p.holds(f, name) {
			p.move(f, name)
			return true
		}
	}
	return false
}

// copied finds the copy, which may be packed, of a file that was cut or is gone.
func (p *placing) copied(f *file) bool {
	info := p.info(f.name)
	if f.kept.Length == 0 || p.cfg.Format == FormatTable || info != nil && !p.cut(f, info) {
		return false
	}
	for _, name := range p.where(f) {
		if there := p.info(name); there == nil || p.taken[name] || name == f.name || info == nil && !p.isPacked(name) {
			continue
		}
		if p.holds(f, name) || info != nil && p.begins(f, name) {
			p.freed[f.name] = true
			p.move(f, name)
			return true
		}
	}
	return false
}

// give leaves a file that was not found its name, unless another has it now, or it was a log that is complete: then it is gone.
func (p *placing) give(f *file) {
	if !p.taken[f.name] && !(p.cfg.Tail && f.kept.Done) {
		p.taken[f.name] = true
		return
	}
	f.kept.Done, f.kept.Gone = true, true
	p.moved = append(p.moved, f)
}

func (p *placing) move(f *file, name string) {
	p.cfg.Log.Info("a file has another name", "was", p.place(f.name), "is", p.place(name), "read", f.at)
	f.name, f.kept.Name, f.known, f.edges, f.stuck, f.tried = name, name, false, nil, nil, 0
	f.is(p.info(name))
	p.taken[name] = true
	p.moved = append(p.moved, f)
	delete(p.candidates, name)
}

// waits says whether a new file has to wait, for it may be a copy that is being made.
func (p *placing) waits(name string) bool {
	info := p.info(name)
	if !p.cfg.Tail || info == nil || len(p.files) == 0 || p.freed[name] {
		return false
	}
	if info.Size() > 0 && !p.isCopy(name, info.Size()) { // an empty one may be a copy that has just begun
		delete(p.candidates, name)
		return false
	}
	now := p.cfg.Clock.Now()
	c, ok := p.candidates[name]
	if !ok {
		c.first = now
	}
	if !ok || c.size != info.Size() {
		c.since, c.size = now, info.Size()
		p.candidates[name] = c
	}
	if info.Size() == 0 {
		return now.Sub(c.since) < holdEmpty
	}
	return now.Sub(c.since) < holdFor && now.Sub(c.first) < mostHold
}

// isCopy says whether a file holds the beginning of one that is followed, and nothing else.
func (p *placing) isCopy(name string, size int64) bool {
	for _, f := range p.files {
		info := p.info(f.name)
		if f.kept.Length == 0 || f.kept.Done || info == nil || p.isPacked(f.name) {
			continue
		}
		if p.isPacked(name) && p.unpacksLike(name, f) || !p.isPacked(name) && size <= info.Size() && p.sameEdges(name, f.name, size) {
			return true
		}
	}
	return false
}

// unpacksLike says whether a packed file begins as another does, as far as it is there: it may not be complete.
func (p *placing) unpacksLike(name string, f *file) bool {
	same := false
	err := p.with(name, func(c *content) error {
		head := make([]byte, edgeBytes)
		n, _ := io.ReadFull(c, head) // less is there
		want, err := p.edges(f.name, min(int64(n), f.kept.Length))
		same = err == nil && len(want.head) > 0 && string(want.head) == string(head[:len(want.head)])
		return nil
	})
	return err != nil || same // what cannot be unpacked yet is being written
}

// sameEdges says whether two files have the same edges up to a place.
func (p *placing) sameEdges(a, b string, place int64) bool {
	x, err := p.edges(a, place)
	if err != nil {
		return false
	}
	y, err := p.edges(b, place)
	return err == nil && string(x.head) == string(y.head) && string(x.tail) == string(y.tail)
}

// edges are those of a plain file up to a place.
func (p *placing) edges(name string, place int64) (*edges, error) {
	in, err := p.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // it was only read
	return edgesAt(in, place)
}

// holds says whether a file holds what was read of another.
func (p *placing) holds(f *file, name string) bool {
	if p.cfg.Format == FormatTable {
		return p.begins(f, name)
	}
	same := false
	err := p.with(name, func(c *content) error {
		e, err := c.at(f.at)
		same = err == nil && e.isOf(&f.kept)
		return nil
	})
	return err == nil && same
}

// begins says whether a file has the beginning of another.
func (p *placing) begins(f *file, name string) bool {
	same := false
	err := p.with(name, func(c *content) error {
		e, err := c.at(f.kept.Length)
		same = err == nil && sumOf(e.head) == f.kept.Head
		return nil
	})
	return err == nil && same
}

// with opens the content of a file for a look.
func (p *placing) with(name string, look func(*content) error) error {
	in, err := p.root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	c, err := p.contentOf(in, name)
	if err != nil {
		return err
	}
	defer c.close()
	return look(c)
}

// splitName takes the folder off a name.
func splitName(name string) (dir, base string) { return path.Dir(name), path.Base(name) }
