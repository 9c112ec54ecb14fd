package protect

import (
	"context"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// headers looks at what the caller put into headers: Mcp-Param-* of a tool whose
// schema is not known, and trace context, travel on as they are, so that any
// finding that may not pass blocks.
func (s *Step) headers(ctx context.Context, x *exchange.Exchange, j *job) error {
	for _, fields := range [][]wire.Field{x.Mirrors.Params, x.Mirrors.Trace} {
		for _, f := range fields {
			text, err := wire.DecodeHeader(f.Value)
			if err != nil {
				text = f.Value
			}
			if err := s.header(ctx, j, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Step) header(ctx context.Context, j *job, text string) error {
	spans, err := s.scanText(ctx, j, []byte(text))
	if err != nil {
		_, err = s.unscanned(j, nil, err)
		return err
	}
	for _, sp := range spans {
		a := j.p.Decide(j.where, sp.Type, sp.Sub)
		if a == privacy.Keep || a == privacy.Flag || j.p.Shadow() {
			continue
		}
		if a != privacy.Block && s.mirrored(j.x) {
			continue // the body's own finding changes it, and the header is made anew
		}
		j.count(sp.Type, privacy.Block, 1)
		return refusal(j.where.Toward, []string{string(sp.Type)})
	}
	return nil
}

// mirrored reports whether the Mcp-Param-* headers are made from the body.
func (s *Step) mirrored(x *exchange.Exchange) bool { return x.Tool != nil && x.Tool.Definition != "" }
