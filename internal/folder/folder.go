package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Folder is a folder of the machine. It is opened for each call, so that it may come back, as what is mounted does.
type Folder struct{ path string }

// New names the folder at a path, which is not made: where it is missing, something is not mounted.
func New(name string) *Folder { return &Folder{path: name} }

// Close has nothing to close.
func (f *Folder) Close() {}

// within does something with the folder open.
func (f *Folder) within(what, name string, do func(root *os.Root) error) error {
	root, err := os.OpenRoot(f.path)
	if err == nil {
		err = errors.Join(do(root), root.Close())
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, path.Join(f.path, name), err)
	}
	return nil
}

// Place is the folder in words.
func (f *Folder) Place() string { return f.path }

// coming is how files are called until they are whole.
const coming = ".coming"

// Put writes a file, in the place of one of that name. When it returns, the file survives a crash of the machine.
func (f *Folder) Put(_ context.Context, name string, body []byte) error {
	return f.within("write", name, func(root *os.Root) error {
		dir := path.Dir(name)
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := write(root, name+coming, body); err != nil {
			return errors.Join(err, root.Remove(name+coming))
		}
		if err := root.Rename(name+coming, name); err != nil {
			return err
		}
		return settle(root, dir)
	})
}

func write(root *os.Root, name string, body []byte) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err = file.Write(body); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// settle has the names in a folder, and that of the folder in those around it, survive a crash of the machine.
func settle(root *os.Root, dir string) error {
	for {
		d, err := root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

// Get reads a file. The error is fs.ErrNotExist when there is none; that the folder itself is missing is another.
func (f *Folder) Get(_ context.Context, name string) (body []byte, err error) {
	if _, err := os.Stat(f.path); err != nil {
		return nil, &missing{err}
	}
	err = f.within("read", name, func(root *os.Root) error {
		body, err = root.ReadFile(name)
		return err
	})
	return body, err
}

// missing says that the folder is not there, which is not to say that a file is not.
type missing struct{ cause error }

func (m *missing) Error() string { return m.cause.Error() }

func (m *missing) As(target any) bool { return errors.As(m.cause, target) }

// Delete deletes a file, and what a crash left of one that was to be; it is no error when there is none.
func (f *Folder) Delete(_ context.Context, name string) error {
	return f.within("delete", name, func(root *os.Root) error {
		for _, n := range []string{name + coming, name} {
			if err := root.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

// List gives the names of the files that begin with a prefix, in order, at most most of them.
func (f *Folder) List(_ context.Context, prefix string, most int) (names []string, err error) {
	err = f.within("list", "", func(root *os.Root) error {
		return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, coming) {
				names = append(names, name)
			}
			return err
		})
	})
	slices.Sort(names)
	return names[:min(len(names), most)], err
}
