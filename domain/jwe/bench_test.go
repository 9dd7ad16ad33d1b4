package jwe_test

import (
	"testing"

	"embedseal/domain/jwe"
)

// typical is a token of 300 bytes.
var typical = spell(vectorHeader, "", part(12), part(119), part(16))

func BenchmarkParseCompact(b *testing.B) {
	if len(typical) != 300 {
		b.Fatalf("the token has %d bytes", len(typical))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwe.ParseCompact(typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendCompact(b *testing.B) {
	token, err := jwe.ParseCompact(typical)
	if err != nil {
		b.Fatal(err)
	}
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = jwe.AppendCompact(text[:0], token.EncodedHeader(), token.IV(), token.Ciphertext(), token.Tag())
	}
	if string(text) != typical {
		b.Fatalf("got %s", text)
	}
}

func BenchmarkEncodeHeader(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwe.EncodeHeader(vectorKeyID); err != nil {
			b.Fatal(err)
		}
	}
}
