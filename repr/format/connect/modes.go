package connect

import (
	"encoding/base64"
	"encoding/hex"

	"millrace/repr"
	"millrace/repr/format/logical"
)

// Modes is how a producer writes what JSON has no word for, where its messages bear no schema that says so. The words are
// those of Debezium's settings, and the empty one is Debezium's default.
type Modes struct {
	Decimal string // decimal.handling.mode
	Time    string // time.precision.mode
	Binary  string // binary.handling.mode
}

// The words that each mode knows.
var (
	DecimalModes = []string{"precise", "double", "string"}
	TimeModes    = []string{"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"}
	BinaryModes  = []string{"bytes", "base64", "base64-url-safe", "hex"}
)

// unit is what a number in a column of a type counts; ok is false when nothing says so. A producer that adapts counts
// milliseconds up to a precision of 3, and times of day without a precision in microseconds.
func (m *Modes) unit(t repr.Type) (per logical.Unit, ok bool) {
	switch m.Time {
	case "connect":
		return logical.Millis, true
	case "microseconds":
		return logical.Micros, true
	case "nanoseconds":
		return logical.Nanos, true
	case "adaptive_time_microseconds":
		if t.Kind == repr.KindTime {
			return logical.Micros, true
		}
	}
	switch {
	case t.HasMod() && t.Typmod() <= 3:
		return logical.Millis, true
	default:
		return logical.Micros, t.HasMod() || t.Kind == repr.KindTime || t.Kind == repr.KindInterval
	}
}

// bytes decodes a text that stands for bytes, into dst.
func (m *Modes) bytes(dst, text []byte) ([]byte, *repr.Error) {
	var err error
	switch m.Binary {
	case "hex":
		dst, err = hex.AppendDecode(dst, text)
	case "base64-url-safe":
		dst, err = base64.URLEncoding.AppendDecode(dst, text)
	default:
		dst, err = base64.StdEncoding.AppendDecode(dst, text)
	}
	if err != nil {
		mode := m.Binary
		if mode == "" || mode == "bytes" {
			mode = "base64"
		}
		return dst, repr.NewError(repr.CodeInvalidText, "the text "+quote(text)+" is not bytes in "+mode).
			WithHint("BINARY HANDLING MODE of the envelope is what the connector has as binary.handling.mode.")
	}
	return dst, nil
}
