package policy

import (
	"bytes"
	"errors"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of arguments that policies read.
const (
	argumentBytes = 64 << 10 // of one string
	argumentItems = 1000     // of one set
)

var errArgument = errors.New("an argument cannot be compared exactly")

// arguments returns context.args with the members that rules read. A value that
// does not map exactly is an error: 0.1 is not rounded, 2^64 is not cut off, and
// a path that could be read in two ways is not compared (P06,
// TestP06OnlyCanonicalPathsAreCompared).
func (c *trial) arguments() (types.Value, error) {
	if c.open {
		return eval.Variable("args"), nil
	}
	s := noArguments
	if c.item != nil {
		s = c.item.shape
	}
	all := slices.Contains(c.merged.args, "*")
	look := lookOf(c.rules)
	m := types.RecordMap{}
	for _, want := range s.members {
		v := c.q.Args.Get(want.name)
		if v.Kind() == wire.Absent || v.Kind() == wire.Null || !all && !slices.Contains(c.merged.args, want.name) {
			continue // one that is required and missing is an error where it is read
		}
		value, err := look.value(v, want.shape)
		if err != nil {
			return nil, err
		}
		m[types.String(want.name)] = value
	}
	return types.NewRecord(m), nil
}

// value converts one argument.
func (l *look) value(v wire.Value, s *shape) (types.Value, error) {
	switch {
	case s.form == formText && v.Kind() == wire.String:
		text, _ := v.Text()
		if len(text) > argumentBytes || !l.comparable(text, s.path) {
			return nil, errArgument
		}
		return types.String(text), nil
	case s.form == formLong && v.Kind() == wire.Number:
		if n, ok := v.Int(); ok {
			return types.Long(n), nil
		}
	case s.form == formNumber && v.Kind() == wire.Number:
		return decimalOf(v.Raw())
	case s.form == formBool:
		if b, ok := v.Bool(); ok {
			return types.Boolean(b), nil
		}
	case s.form == formSet && v.Kind() == wire.Array:
		return l.set(v, s)
	case s.form == formRecord && v.Kind() == wire.Object:
		return l.record(v, s)
	}
	return nil, errArgument
}

func (l *look) set(v wire.Value, s *shape) (types.Value, error) {
	var out []types.Value
	for e := range v.Elements() {
		item := *s.item
		item.path = item.path || s.path
		value, err := l.value(e, &item)
		if err != nil || len(out) == argumentItems {
			return nil, errArgument
		}
		out = append(out, value)
	}
	return types.NewSet(out...), nil
}

func (l *look) record(v wire.Value, s *shape) (types.Value, error) {
	m := types.RecordMap{}
	for _, want := range s.members {
		inner := v.Get(want.name)
		if inner.Kind() == wire.Absent || inner.Kind() == wire.Null {
			continue
		}
		value, err := l.value(inner, want.shape)
		if err != nil {
			return nil, err
		}
		m[types.String(want.name)] = value
	}
	return types.NewRecord(m), nil
}

// decimalOf converts a JSON number with at most four digits after the point and
// no exponent.
func decimalOf(raw []byte) (types.Value, error) {
	text := string(raw)
	if !bytes.ContainsRune(raw, '.') {
		text += ".0"
	}
	d, err := types.ParseDecimal(text)
	if err != nil {
		return nil, errArgument
	}
	return d, nil
}
