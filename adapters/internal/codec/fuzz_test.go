package codec_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/group"
	"embedseal/ports"
)

// hostile are documents that a careless decoder would take.
func hostile(doc string) []string {
	docs := []string{doc, "", "null", "{}", "[]", doc + doc, doc[:len(doc)/2], doc + " ", strings.ToUpper(doc), strings.Repeat("[", 10000)}
	for _, d := range anyDocument() {
		docs = append(docs, strings.Replace(doc, d.old, d.new, 1))
	}
	return append(docs,
		strings.Replace(doc, "acme", "../x", 1), strings.Replace(doc, "acme", `\u0061cme`, 1), strings.Replace(doc, `"v":1`, `"v":1e0`, 1),
		strings.Replace(doc, `"v":1`, `"v":99999999999999999999`, 1), strings.Replace(doc, "2026", "12026", 1), "\xef\xbb\xbf"+doc)
}

func FuzzDecodeRing(f *testing.F) {
	for _, doc := range hostile(ringText) {
		f.Add("acme", []byte(doc))
	}
	f.Add("../x", []byte(strings.ReplaceAll(ringText, "acme", "../x")))
	f.Fuzz(func(t *testing.T, id string, doc []byte) {
		r, err := codec.DecodeRing(group.ID(id), doc)
		if err != nil {
			if !errors.Is(err, ports.ErrCorrupt) {
				t.Fatalf("got the error %v", err)
			}
			if r.Len() != 0 {
				t.Fatalf("%d keys come with the error %v", r.Len(), err)
			}
			for _, s := range regexp.MustCompile(`"secret":"([^"]{8,})"`).FindAllSubmatch(doc, -1) {
				if strings.Contains(err.Error(), string(s[1])) {
					t.Fatalf("the error holds a secret: %v", err)
				}
			}
			return
		}
		again, err := codec.EncodeRing(group.ID(id), r)
		if err != nil || !bytes.Equal(again, doc) {
			t.Errorf("a ring was read from %q and is written %q, error %v", doc, again, err)
		}
	})
}

func FuzzDecodeGroup(f *testing.F) {
	for _, doc := range append(hostile(groupText), hostile(fullGroupText)...) {
		f.Add("acme", []byte(doc))
	}
	f.Add("../x", []byte(strings.ReplaceAll(groupText, "acme", "../x")))
	f.Add("acme", []byte(strings.Replace(groupText, groupText[strings.Index(groupText, `"policy"`):strings.Index(groupText, `,"tokens"`)], policyText, 1)))
	f.Add("acme", []byte(strings.Replace(groupText, `}],`, `,`+restrictionText+`}],`, 1)))
	f.Fuzz(func(t *testing.T, id string, doc []byte) {
		g, err := codec.DecodeGroup(group.ID(id), doc)
		if err != nil {
			if !errors.Is(err, ports.ErrCorrupt) {
				t.Fatalf("got the error %v", err)
			}
			return
		}
		again, err := codec.EncodeGroup(g)
		if err != nil || !bytes.Equal(again, doc) {
			t.Errorf("a group was read from %q and is written %q, error %v", doc, again, err)
		}
		if g.Policy.Check() != nil {
			t.Error("a group without lifetimes was read")
		}
	})
}
