package app

import (
	"context"
	"errors"
)

// errNoDataPlane says that this build has operators' functions only.
var errNoDataPlane = errors.New("this build cannot serve MCP clients yet")

// Serve runs the data plane until ctx ends.
func (a *App) Serve(context.Context) error { return errNoDataPlane }
