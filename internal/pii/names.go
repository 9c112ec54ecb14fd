package pii

func (r *run) names(v *view)  {}
func (r *run) sweep()         {}
func knownName(b []byte) bool { return len(b) > 2 && class[b[0]]&cUpper != 0 }
