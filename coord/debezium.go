package coord

import (
	"slices"
	"strings"

	"millrace/repr"
	fconnect "millrace/repr/format/connect"
	"millrace/sources/kafka"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// debeziumModes are the options of ENVELOPE DEBEZIUM that say how the connector is set, the words each knows, and where it
// is kept.
var debeziumModes = map[string]struct {
	words []string
	set   func(m *fconnect.Modes) *string
}{
	"decimal handling mode": {fconnect.DecimalModes, func(m *fconnect.Modes) *string { return &m.Decimal }},
	"time precision mode":   {fconnect.TimeModes, func(m *fconnect.Modes) *string { return &m.Time }},
	"binary handling mode":  {fconnect.BinaryModes, func(m *fconnect.Modes) *string { return &m.Binary }},
}

// debezium reads what a CREATE SOURCE says about its change events beside their format: the columns of the table and how the
// connector writes their values. Both are for JSON, where the messages may not say so.
func debezium(st *ast.CreateSource, spec *kafkaSource) *repr.Error {
	if len(st.Envelope.Key) > 0 || st.Envelope.KeyFormat != nil {
		return unsupported("KEY and FORMAT of ENVELOPE "+spec.envelope.String(), st.Envelope.Pos)
	}
	isJSON := spec.value.Kind == ast.FormatJSON
	for i := range st.Envelope.Options {
		if ok, err := spec.txn.take(&st.Envelope.Options[i]); ok || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := debeziumOption(&st.Envelope.Options[i], &spec.debezium, isJSON); err != nil {
			return err
		}
	}
	if spec.txn.topic == "" && spec.txn.collection != "" {
		return repr.NewError(repr.CodeSyntax, "TRANSACTION METADATA has no TOPIC").At(st.Envelope.Pos)
	}
	spec.debezium.Transactions = spec.txn.topic != ""
	if len(st.ColumnNames) > 0 {
		return unsupported("a list of columns without types of a source with ENVELOPE "+spec.envelope.String(), st.Pos)
	}
	if len(st.Columns) == 0 && len(st.Constraints) == 0 {
		return nil
	}
	if !isJSON {
		return unsupported("a list of columns of a source with FORMAT AVRO, whose schema has them,", st.Pos)
	}
	for _, c := range st.Columns {
		for _, k := range c.Constraints {
			if k.Kind != ast.ConstraintNotNull && k.Kind != ast.ConstraintNull && k.Kind != ast.ConstraintPrimaryKey && k.Kind != ast.ConstraintUnique {
				return unsupported("this constraint of a column of a source", k.Pos)
			}
		}
	}
	var err *repr.Error
	spec.debezium.Columns, spec.debezium.Keys, err = plan.Columns(st.Columns, st.Constraints)
	return err
}

func debeziumOption(o *ast.Option, to *kafka.Debezium, isJSON bool) *repr.Error {
	mode, ok := debeziumModes[o.Name]
	if !ok {
		return unsupported("the option "+strings.ToUpper(o.Name)+" of ENVELOPE DEBEZIUM", o.Pos)
	}
	if !isJSON {
		return unsupported(strings.ToUpper(o.Name)+" with FORMAT AVRO, whose schema says it,", o.Pos)
	}
	word := strings.ToLower(o.Value.Text)
	if !slices.Contains(mode.words, word) {
		return repr.NewError(repr.CodeInvalidParameter, "invalid value for "+strings.ToUpper(o.Name)+": \""+o.Value.Text+"\"").
			WithHint("Available values: " + strings.Join(mode.words, ", ") + ".").At(o.Pos)
	}
	*mode.set(&to.Modes) = word
	return nil
}
