package storetest

import (
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/vault"
)

// BenchPseudonyms measures the map over a store: new values in calls of several
// sizes, calls that come together, and tokens looked up without memory, with
// 100,000 tokens there.
func BenchPseudonyms(b *testing.B, rows vault.Rows, ring vault.Keys) {
	b.Helper()
	v := vault.New(vault.Config{Rows: rows, Keys: ring, Limit: vault.Limit{Cached: 1}})
	n := 0
	next := func(size int) []vault.Value {
		values := make([]vault.Value, size)
		for i := range values {
			n++
			values[i] = vault.Value{Type: "EMAIL", Value: fmt.Sprintf("user%d@example.com", n)}
		}
		return values
	}
	hide := func(values []vault.Value) []string {
		out, err := v.Hide(b.Context(), "s", false, values)
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	var tokens []string
	for range 25 {
		tokens = append(tokens, hide(next(4000))...)
	}
	b.ResetTimer()
	for _, size := range []int{1, 3, 20, 1000} {
		b.Run(fmt.Sprintf("hide=%d", size), func(b *testing.B) {
			for b.Loop() {
				hide(next(size))
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "values/s")
		})
	}
	b.Run("hide=3,at_once=64", func(b *testing.B) {
		for b.Loop() {
			done := make(chan error, 64)
			for range 64 {
				values := next(3)
				go func() {
					_, err := v.Hide(b.Context(), "s", false, values)
					done <- err
				}()
			}
			for range 64 {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.N*64*3)/b.Elapsed().Seconds(), "values/s")
	})
	b.Run("restore", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			at := i * 7919 % len(tokens)
			if out, err := v.Restore(b.Context(), "s", tokens[at:at+1]); err != nil || out[0].Value == "" {
				b.Fatal(out, err)
			}
		}
	})
}
