package admin

import "context"

// noBook says that there is no log to read.
func noBook() *Error {
	return &Error{Code: Unavailable, Message: "the log is not open", Fix: "check with: ostiary doctor"}
}

// AuditQuery returns the lines that q selects and records that they were read.
func (o *operator) AuditQuery(context.Context, AuditQuery) (AuditPage, error) {
	return AuditPage{}, noBook()
}
