package fn

import "millrace/repr"

func outOfRange(k repr.Kind) *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, k.String()+" out of range")
}

func divisionByZero() *repr.Error {
	return repr.NewError(repr.CodeDivisionByZero, "division by zero")
}

func invalidParameter(message string) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, message)
}

func unsupported(what string) *repr.Error {
	return repr.NewError(repr.CodeFeatureNotSupported, what+" is not supported")
}

func timestampRange() *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, "timestamp out of range")
}

func dateRange() *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, "date out of range")
}

func intervalRange() *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, "interval out of range")
}
