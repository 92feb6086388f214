package main

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

// assign decodes a plain value into a field of the configuration.
func assign(field reflect.Value, value any) error {
	if value == nil {
		return nil // a key without a value keeps its default
	}
	// A fresh value, so that a list or map replaces the default and is not merged into it.
	fresh := reflect.New(field.Type())
	dec, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:      fresh.Interface(),
		ErrorUnused: true,
		MatchName:   func(key, field string) bool { return key == field },
		DecodeHook:  mapstructure.ComposeDecodeHookFunc(decodeDuration, decodeSize, decodeDate, mapstructure.TextUnmarshallerHookFunc()),
	})
	if err != nil {
		return err
	}
	if err := dec.Decode(value); err != nil {
		return plain(err)
	}
	field.Set(fresh.Elem())
	return nil
}

// plain rewrites a decoder's error in our own form: the faults on one line, each
// behind the place inside the key where it is.
func plain(err error) error {
	var out []error
	for _, e := range flatten(err) {
		var d *mapstructure.DecodeError
		if errors.As(e, &d) {
			e = named(strings.TrimPrefix(d.Name(), "."), d.Unwrap())
		}
		out = append(out, e)
	}
	return errors.Join(out...)
}

// flatten returns the errors that were joined into one.
func flatten(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var out []error
		for _, inner := range e.Unwrap() {
			out = append(out, flatten(inner)...)
		}
		return out
	case interface{ Unwrap() error }:
		if _, own := err.(*mapstructure.DecodeError); !own {
			if inner := flatten(e.Unwrap()); len(inner) > 1 {
				return inner
			}
		}
	}
	return []error{err}
}

func decodeDuration(from, to reflect.Type, v any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() || from == to {
		return v, nil
	}
	if s, ok := v.(string); ok {
		if s == "0" {
			return time.Duration(0), nil
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a duration such as 30s or 5m", s)
		}
		return d, nil
	}
	if n, ok := v.(int); ok && n == 0 {
		return time.Duration(0), nil
	}
	return nil, fmt.Errorf("%v is not a duration: write it with a unit, such as 30s", v)
}

func decodeSize(_, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if !ok || to.Kind() != reflect.Int && to.Kind() != reflect.Int64 || to.PkgPath() != "" {
		return v, nil
	}
	return parseSize(s)
}

// decodeDate gives a date, which YAML reads as a time, back its text.
func decodeDate(from, to reflect.Type, v any) (any, error) {
	t, ok := v.(time.Time)
	if !ok || to.Kind() != reflect.String {
		return v, nil
	}
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.UTC().Format(time.DateOnly), nil
	}
	return t.Format(time.RFC3339), nil
}

// units of sizes, longest first, since "B" ends all of them.
var units = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// parseSize reads a whole number, which may carry a unit of bytes: 8MiB, 64KB, 512.
func parseSize(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n > math.MaxInt64/u.size || n < -math.MaxInt64/u.size {
			break
		}
		return n * u.size, nil
	}
	return 0, fmt.Errorf("%q is not a number or a size such as 8MiB", s)
}
