package jose_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"embedseal/adapters/jose"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports/porttest"
)

const (
	benchKeyID  = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	benchClaims = `{"cst":"customer_1","dsh":"abcde","exp":4102444800,"iat":1700000000,"rbc":["flt","srt"],"des":true,"iss":"https://your-domain.com/"}`
)

// BenchmarkSeal sets the cipher beside a floor, which is the smallest program
// with the standard library that writes the same token, and beside go-jose.
func BenchmarkSeal(b *testing.B) {
	claims := []byte(benchClaims)
	k, c := porttest.MaterialKey(benchKeyID, porttest.VectorSecret), jose.New()
	kept := key.NewSealer(k)
	for _, way := range []struct {
		name   string
		sealer func() *key.Sealer
	}{
		{"ours", func() *key.Sealer { return kept }},                  // as with a default key
		{"ours-anew", func() *key.Sealer { return key.NewSealer(k) }}, // as with one that is named
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Seal(b.Context(), "acme", way.sealer(), claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			floorSeal(b, claims)
		}
	})
	b.Run("go-jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := goJoseSeal(benchKeyID, []byte(porttest.VectorSecret), claims); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen opens from the text: the gate is part of it. The floor trusts
// its input, which none of ours may.
func BenchmarkOpen(b *testing.B) {
	for _, v := range porttest.Vectors() {
		b.Run("ours, "+v.Name, func(b *testing.B) {
			c, ctx := jose.New(), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				token, err := jwe.ParseCompact(v.Token)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Open(ctx, "acme", v.Key, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	v := porttest.Vectors()[0]
	b.Run("ours, behind the gate", func(b *testing.B) {
		token, err := jwe.ParseCompact(v.Token)
		if err != nil {
			b.Fatal(err)
		}
		c, ctx := jose.New(), b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Open(ctx, "acme", v.Key, token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			floorOpen(b, v.Token)
		}
	})
	b.Run("go-jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := goJoseOpen(v.Token, []byte(porttest.VectorSecret)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func floorAEAD(b *testing.B) cipher.AEAD {
	block, err := aes.NewCipher([]byte(porttest.VectorSecret))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	return aead
}

func floorSeal(b *testing.B, claims []byte) string {
	aead := floorAEAD(b)
	encode := base64.RawURLEncoding.EncodeToString
	header := encode([]byte(`{"alg":"dir","enc":"A256GCM","kid":"` + benchKeyID + `"}`))
	iv := make([]byte, aead.NonceSize())
	_, _ = rand.Read(iv)
	sealed := aead.Seal(nil, iv, claims, []byte(header))
	tag := len(sealed) - aead.Overhead()
	return header + ".." + encode(iv) + "." + encode(sealed[:tag]) + "." + encode(sealed[tag:])
}

func floorOpen(b *testing.B, text string) []byte {
	parts := split(text)
	claims, err := floorAEAD(b).Open(nil, unbase64(parts[2]), append(unbase64(parts[3]), unbase64(parts[4])...), []byte(parts[0]))
	if err != nil {
		b.Fatal(err)
	}
	return claims
}

func goJoseSeal(kid string, value, claims []byte) (string, error) {
	encrypter, err := gojose.NewEncrypter(gojose.A256GCM,
		gojose.Recipient{Algorithm: gojose.DIRECT, Key: value, KeyID: kid}, nil)
	if err != nil {
		return "", err
	}
	object, err := encrypter.Encrypt(claims)
	if err != nil {
		return "", err
	}
	return object.CompactSerialize()
}
