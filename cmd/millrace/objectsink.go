package main

import (
	"millrace/coord"
	"millrace/sinks/parquet"
)

// objectSink makes the sinks into object storage: Parquet is heavy, and nothing below the command needs it.
func objectSink(o coord.ObjectSink) (coord.SinkConnector, error) {
	sink, err := parquet.New(parquet.Config{Store: o.Store, Prefix: o.Prefix, Cols: o.Cols, Partition: o.Partition, Changes: o.Changes,
		Force: o.Force, Name: o.Name, Run: o.Run})
	if err != nil {
		return nil, err
	}
	return sink, nil
}
