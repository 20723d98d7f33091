package sinks

import (
	"context"

	"millrace/repr"
)

// RefusalColumns are the columns of <sink>_errors.
var RefusalColumns = repr.RowDesc{
	{Name: "time", Type: repr.TypeOf(repr.KindTimestampTZ), NotNull: true},
	{Name: "error", Type: repr.TypeOf(repr.KindText), NotNull: true},
	{Name: "key", Type: repr.TypeOf(repr.KindText), NotNull: true},
	{Name: "document", Type: repr.TypeOf(repr.KindText), NotNull: true},
}

// Refusals is the relation with what the target of a sink refuses.
type Refusals interface {
	// Held are its rows when the sink starts.
	Held() [][]byte
	// Change changes it, and returns when the change is durable.
	Change(ctx context.Context, changes []Change) error
}

// Refusing is a sink whose target may refuse single rows and take the others.
type Refusing interface {
	// KeepRefusals is called once, before Run.
	KeepRefusals(to Refusals)
}
