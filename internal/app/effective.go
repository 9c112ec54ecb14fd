package app

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
)

// Value is one key of the configuration as it is in force.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // "default", "environment" or file:line:column
	Reload string `json:"reload"` // "hot" or "restart"
	Source string `json:"source"` // who may set it: "any" or "file"
}

// originDefault marks a value that nobody wrote.
const originDefault = "default"

// LoadFile reads and checks a configuration file without opening anything.
func LoadFile(path string, environ func(string) (string, bool)) (*Config, error) {
	c, _, err := load(path, environ)
	return c, err
}

// Effective lists every key of the configuration in path with its origin.
// Secrets stand in it as references only, so all of it may be shown.
func Effective(path string, environ func(string) (string, bool)) ([]Value, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(path, text, environ)
	if err != nil {
		return nil, err
	}
	places := placesOf(path, text)
	var all []Value
	for _, l := range c.leaves() {
		v := Value{Key: l.path, Value: show(l.value), Origin: originDefault, Reload: l.reload, Source: l.source}
		if p, written := places[l.path]; written {
			v.Origin = fmt.Sprintf("%s:%d:%d", path, p.line, p.column)
		}
		if environ != nil {
			if _, set := environ(variable(l.path)); set {
				v.Origin = "environment " + variable(l.path)
			}
		}
		all = append(all, v)
	}
	return all, nil
}

// placesOf returns where each key stands in a valid text.
func placesOf(path string, text []byte) map[string]place {
	d := &decoder{file: path, places: map[string]place{}}
	d.decode(text, &Config{})
	return d.places
}

// Written leaves the defaults out.
func Written(all []Value) []Value {
	return slices.DeleteFunc(slices.Clone(all), func(v Value) bool { return v.Origin == originDefault })
}

func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return fmt.Sprint(v.Elem().Interface())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			var names []string
			for i := range v.Len() {
				names = append(names, v.Index(i).Field(0).String())
			}
			return fmt.Sprint(names)
		}
	}
	return fmt.Sprint(v.Interface())
}
