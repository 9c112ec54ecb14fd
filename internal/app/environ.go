package app

import (
	"fmt"
	"reflect"
	"strings"
)

// leaf is one key of Config that holds a single value.
type leaf struct {
	path   string
	reload string // "hot" or "restart"
	source string // "any" or "file"
	value  reflect.Value
}

// leaves lists every single-valued key of c below v, with inherited marks.
func leaves(key string, v reflect.Value, reload, source string) []leaf {
	var all []leaf
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag
		one := leaf{path: join(key, tag.Get("yaml")), reload: reload, source: source, value: f}
		if r := tag.Get("reload"); r != "" {
			one.reload = r
		}
		if s := tag.Get("source"); s != "" {
			one.source = s
		}
		if f.Kind() == reflect.Struct {
			all = append(all, leaves(one.path, f, one.reload, one.source)...)
			continue
		}
		all = append(all, one)
	}
	return all
}

// Leaves lists the keys of Config in the file's order.
func (c *Config) leaves() []leaf {
	return leaves("", reflect.ValueOf(c).Elem(), "restart", "file")
}

// variable is the environment variable of a key.
func variable(path string) string {
	return "OSTIARY_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// environment sets the keys that the environment may set, and refuses the
// others: what loosens the gateway stands in the file and nowhere else.
func (d *decoder) environment(c *Config, environ func(string) (string, bool)) {
	for _, l := range c.leaves() {
		name := variable(l.path)
		text, set := environ(name)
		if !set {
			continue
		}
		if l.source != "any" || !isScalar(l.value.Type()) {
			d.problem(l.path, fmt.Sprintf("is set by %s; this key can be set in the file only", name))
			continue
		}
		d.places[l.path] = place{}
		if err := setScalar(l.value, text); err != nil {
			d.problem(l.path, fmt.Sprintf("as set by %s %s", name, err))
		}
	}
}
