package main

import (
	"millrace/coord"
	"millrace/internal/folder"
	"millrace/internal/s3"
	"millrace/repr"
	"millrace/sinks/parquet"
)

// objectSink makes the sinks into files: Parquet is heavy, and nothing below the command needs it.
func objectSink(o coord.ObjectSink) (coord.SinkConnector, error) {
	cfg := parquet.Config{Prefix: o.Prefix, Cols: o.Cols, Partition: o.Partition, Changes: o.Changes, Force: o.Force, Name: o.Name, Run: o.Run}
	if o.Folder != "" {
		cfg.Store = folder.New(o.Folder)
	} else {
		store, err := s3.New(o.Store)
		if err != nil {
			return nil, repr.NewError(repr.CodeInvalidParameter, err.Error())
		}
		cfg.Store = store
	}
	sink, err := parquet.New(cfg)
	if err != nil {
		return nil, err
	}
	return sink, nil
}
