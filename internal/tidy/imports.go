package tidy

import (
	"slices"
	"strconv"
	"strings"
)

// checkFolders: the top level is what the rules list, and holds no Go file.
func (t *tree) checkFolders() {
	for _, dir := range t.dirs {
		if !slices.Contains(t.rules.Folders, dir) {
			t.report("folder", dir, 0, "a new folder at the top needs a line in the rules")
		}
	}
	for _, f := range t.files {
		if f.dir == "." {
			t.report("folder", f.path, 0, "no Go file lies in the root")
		}
	}
}

// checkImports: packages of the tree import downward only, and pass the doors.
func (t *tree) checkImports() {
	for _, f := range t.files {
		from, ok := t.rankOf(f.dir)
		if !ok {
			if f.dir != "." {
				t.report("import", f.path, 0, "no rank covers this folder")
			}
			continue
		}
		for _, spec := range f.Imports {
			target, ok := t.ownImport(spec.Path.Value)
			if !ok {
				continue
			}
			to, ok := t.rankOf(target)
			switch {
			case !ok:
				t.report("import", f.path, spec.Pos(), "imports %s, which no rank covers", target)
			case to.Height > from.Height:
				t.report("import", f.path, spec.Pos(), "imports upward: %s is above %s", target, from.Folder)
			case to.Height == from.Height && to.Folder != from.Folder:
				t.report("import", f.path, spec.Pos(), "imports sideways: %s is beside %s", target, from.Folder)
			}
			if d := t.closedDoor(f.dir, target); d != nil {
				t.report("import", f.path, spec.Pos(), "imports %s, which is open to %s only", target, openTo(d))
			}
		}
	}
}

func openTo(d *Door) string {
	if len(d.To) == 0 {
		return "itself"
	}
	return strings.Join(d.To, ", ")
}

// closedDoor returns the door that keeps a package of dir from importing target.
func (t *tree) closedDoor(dir, target string) *Door {
	for i := range t.rules.Doors {
		d := &t.rules.Doors[i]
		if under(dir, d.From) && under(target, d.Target) && !under(dir, d.Target) && !underAny(dir, d.To) {
			return d
		}
	}
	return nil
}

// rankOf returns the rank of the longest folder that dir lies in.
func (t *tree) rankOf(dir string) (Rank, bool) {
	best, found := Rank{}, false
	for _, r := range t.rules.Ranks {
		if under(dir, r.Folder) && (!found || len(r.Folder) > len(best.Folder)) {
			best, found = r, true
		}
	}
	return best, found
}

// ownImport returns the folder of an import that belongs to the tree.
func (t *tree) ownImport(quoted string) (string, bool) {
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(name, t.rules.Module+"/")
}

// checkModules: what comes from outside is listed, with who may import it.
func (t *tree) checkModules() {
	for _, f := range t.files {
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(name, "/")
			if err != nil || !strings.Contains(first, ".") {
				continue
			}
			m, ok := t.moduleOf(name)
			switch {
			case !ok:
				t.report("module", f.path, spec.Pos(), "%s is not among the modules that this project uses", name)
			case underAny(f.dir, m.In) || f.test && underAny(f.dir, m.Tests):
			default:
				t.report("module", f.path, spec.Pos(), "%s is for %s only", m.Path, strings.Join(m.In, ", "))
			}
		}
	}
}

func (t *tree) moduleOf(name string) (Module, bool) {
	best, found := Module{}, false
	for _, m := range t.rules.Modules {
		if under(name, m.Path) && len(m.Path) > len(best.Path) {
			best, found = m, true
		}
	}
	return best, found
}
