package disk

import (
	"errors"
	"os"
	"syscall"
)

func (f *systemFile) openDirect() {
	if d, err := os.OpenFile(f.Name(), f.flags|syscall.O_DIRECT, 0); err == nil {
		f.direct = d
	}
}

// refused says whether a file system that opened a file for direct use does not do it after all.
func refused(err error) bool { return errors.Is(err, syscall.EINVAL) }
