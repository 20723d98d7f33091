package fn

import (
	"crypto/rand"

	"millrace/repr"
	"millrace/sql/expr"
)

// uuidFunctions make uuids.
var uuidFunctions = []row{
	{sig: "gen_random_uuid() uuid", vol: expr.Volatile, eval: func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails, as of Go 1.24
		b[6] = b[6]&0x0f | 0x40
		b[8] = b[8]&0x3f | 0x80
		return repr.UUID(b), nil
	}},
}
