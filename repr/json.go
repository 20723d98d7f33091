package repr

import "millrace/repr/jsonb"

func canonicalJSON(b []byte) []byte { return jsonb.Canonical(b) }

func appendSortJSON(dst, b []byte) []byte { return jsonb.AppendSort(dst, b) }
