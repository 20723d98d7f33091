package low

import (
	"math/rand/v2"
	clock "time"
)

func init() {}

func Undescribed() {}

// Described is fine.
func Described() {}

type Bare struct{}

// Group speaks for none of the types in it.
type (
	Inner struct{}
	// Told is fine.
	Told struct{}
)

// These are fine.
const (
	One = 1
	Two = 2
)

var Lonely = clock.Now()

var Trailing = clock.Second // fine

// String is fine.
func (Told) String() string { return clock.Since(Lonely).String() }

func (Told) Error() string { return "" }

func (Told) Silent() {}

type hidden[T any] struct{}

func (*hidden[T]) Exported() {}

// TODO: say where.
// TODO(#12): fine.
func chance() int { return rand.IntN(6) + rand.New(rand.NewPCG(1, 2)).IntN(6) }
