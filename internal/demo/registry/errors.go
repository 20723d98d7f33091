package registry

import "fmt"

// Error is a refusal as clients see it: its Code is the HTTP status, or the status and two digits more.
type Error struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

func (e *Error) status() int {
	if e.Code >= 10000 {
		return e.Code / 100
	}
	return e.Code
}

func refusal(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// The error codes of the interface.
const (
	codeIncompatible          = 409
	codeSubjectNotFound       = 40401
	codeVersionNotFound       = 40402
	codeSchemaNotFound        = 40403
	codeSubjectSoftDeleted    = 40404
	codeSubjectNotSoftDeleted = 40405
	codeVersionSoftDeleted    = 40406
	codeVersionNotSoftDeleted = 40407
	codeSubjectNotConfigured  = 40408
	codeInvalidSchema         = 42201
	codeInvalidVersion        = 42202
	codeInvalidLevel          = 42203
)
