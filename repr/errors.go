package repr

import "strings"

// Error is an error that a user sees: a SQLSTATE, what is wrong, where, and how to mend it.
// Message is lower case without a full stop, in PostgreSQL's wording where PostgreSQL has the error.
type Error struct {
	Code     string // SQLSTATE
	Message  string
	Detail   string
	Hint     string
	Context  string // where in the data it was met
	Position int    // 1-based character offset into the statement; 0 when there is none
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Detail != "" {
		b.WriteString(" (")
		b.WriteString(e.Detail)
		b.WriteString(")")
	}
	return b.String()
}

// SQLSTATEs that are used in more than one place.
const (
	CodeFeatureNotSupported    = "0A000"
	CodeDivisionByZero         = "22012"
	CodeNullNotAllowed         = "22004"
	CodeInvalidEscape          = "22019"
	CodeInvalidEscapeSequence  = "22025"
	CodeArraySubscript         = "2202E"
	CodeInvalidLimit           = "2201W"
	CodeNumericOutOfRange      = "22003"
	CodeInvalidDatetime        = "22007"
	CodeDatetimeOverflow       = "22008"
	CodeInvalidParameter       = "22023"
	CodeInvalidText            = "22P02"
	CodeInvalidBinary          = "22P03"
	CodeInvalidEncoding        = "22021"
	CodeNotNullViolation       = "23502"
	CodeInvalidTransaction     = "25000"
	CodeActiveTransaction      = "25001"
	CodeFailedTransaction      = "25P02"
	CodeNoActiveTransaction    = "25P01"
	CodeInvalidCursor          = "34000"
	CodeInvalidStatementName   = "26000"
	CodeSyntax                 = "42601"
	CodeInsufficientPrivilege  = "42501"
	CodeAmbiguousColumn        = "42702"
	CodeAmbiguousFunction      = "42725"
	CodeUndefinedColumn        = "42703"
	CodeUndefinedFunction      = "42883"
	CodeUndefinedTable         = "42P01"
	CodeUndefinedParameter     = "42P02"
	CodeUndefinedObject        = "42704"
	CodeDuplicateObject        = "42710"
	CodeDuplicateColumn        = "42701"
	CodeDuplicateTable         = "42P07"
	CodeDuplicateAlias         = "42712"
	CodeDatatypeMismatch       = "42804"
	CodeGrouping               = "42803"
	CodeCannotCoerce           = "42846"
	CodeIndeterminateType      = "42P18"
	CodeWrongObjectType        = "42809"
	CodeInvalidColumnReference = "42P10"
	CodeDependentObjects       = "2BP01"
	CodeInvalidSchemaName      = "3F000"
	CodeSerializationFailure   = "40001"
	CodeTooManyConnections     = "53300"
	CodeInvalidAuthorization   = "28000"
	CodeOutOfMemory            = "53200"
	CodeProgramLimit           = "54000"
	CodeStatementTooComplex    = "54001"
	CodeObjectNotReady         = "55000"
	CodeQueryCanceled          = "57014"
	CodeAdminShutdown          = "57P01"
	CodeConnectionFailure      = "08006"
	CodeCannotConnect          = "08001"
	CodeProtocolViolation      = "08P01"
	CodeInternal               = "XX000"
	CodeSuccess                = "00000"
)

// NewError makes an error with a SQLSTATE and a message.
func NewError(code, message string) *Error { return &Error{Code: code, Message: message} }

// WithHint returns the error with a hint.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// WithDetail returns the error with a detail.
func (e *Error) WithDetail(detail string) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// In returns the error with where in the data it was met.
func (e *Error) In(context string) *Error {
	c := *e
	c.Context = context
	return &c
}

// At returns the error with a position, unless it has one.
func (e *Error) At(position int) *Error {
	if e.Position != 0 || position == 0 {
		return e
	}
	c := *e
	c.Position = position
	return &c
}
