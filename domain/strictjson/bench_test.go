package strictjson_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"embedseal/domain/strictjson"
)

var request = []byte(`{
    "provided_id": "customer_1",
    "embed_id": "abcde",
    "expiration": "PT1H",
    "key_id": "aa111111-1a11-111a-aa11-1aaaa11a1a11",
    "chart_id": null,
    "rb_allowed_features": null,
    "disable_editable_section_editing": true,
    "embed_origin": "https://your-domain.com/"
  }`)

var header = []byte(`{"alg":"dir","enc":"A256GCM","kid":"aa111111-1a11-111a-aa11-1aaaa11a1a11"}`)

func readText(_ string, v strictjson.Value) error {
	v.Text()
	v.Bool()
	return nil
}

func BenchmarkObject(b *testing.B) {
	for name, data := range map[string][]byte{"request": request, "header": header} {
		b.Run(name+"/strictjson", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := strictjson.Object(data, readText); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-json-map", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				var members map[string]any
				if err := json.Unmarshal(data, &members); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-json-struct", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				var members struct {
					Alg, Enc, Kid                           string
					ProvidedID                              string `json:"provided_id"`
					EmbedID                                 string `json:"embed_id"`
					Expiration, KeyID, ChartID, EmbedOrigin *string
					RBAllowedFeatures                       []string `json:"rb_allowed_features"`
					DisableEditing                          *bool    `json:"disable_editable_section_editing"`
				}
				decoder := json.NewDecoder(bytes.NewReader(data))
				if err := decoder.Decode(&members); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
