package httpapi_test

import (
	"errors"
	"reflect"
	"testing"

	"embedseal/adapters/httpapi"
	"embedseal/domain/policy"
	"embedseal/domain/strictjson"
)

// FuzzPolicyBody holds the forms of policies and restrictions to two laws: a
// refusal names what is wrong, and what an answer shows of one that is accepted is
// a body that makes the same one.
func FuzzPolicyBody(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"default_lifetime":"PT1H","max_lifetime":"P1Y2M3W4DT5H6M7.5S","chart_embedding":true,"embeds":["dash-*","\\*"],"customers":["?"],"origin_required":true,` +
			`"origins":["https://A.example:8443"],"features":["flt","srt"],"pinned_key":"k.1","mode":"clamp"}`,
		`{"features":[]}`, `{"features":["*"]}`, `{"features":["core","core"]}`, `{"features":null,"embeds":null,"mode":null,"pinned_key":null,"max_lifetime":null,"chart_embedding":null}`,
		`{"embeds":[1],"mode":2,"features":{},"origins":"x","chart_embedding":"yes"}`, `{"embeds":["",""],"nope":1}`, `{"pinned_key":"..","origins":["https://é.example"]}`, `[]`, ``, `{"mode":"clamp","mode":"reject"}`,
		`{"chart_embedding":false}`, `{"embeds":["\u0000"]}`, `{"customers":["a","a"]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if p, shown, err := httpapi.ReadPolicy(body); accepted(t, err) {
			again, _, err := httpapi.ReadPolicy(shown)
			if err != nil || !reflect.DeepEqual(plain(p), plain(again)) {
				t.Errorf("%q makes\n%+v, shown as %s, which makes\n%+v, %v", body, p, shown, again, err)
			}
		}
		if r, shown, err := httpapi.ReadRestriction(body); accepted(t, err) && !r.IsZero() {
			again, _, err := httpapi.ReadRestriction(shown)
			if err != nil || !reflect.DeepEqual(plainRestriction(r), plainRestriction(again)) {
				t.Errorf("%q makes\n%+v, shown as %s, which makes\n%+v, %v", body, r, shown, again, err)
			}
		}
	})
}

// accepted reports whether there is no error, and what an error has to say.
func accepted(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return true
	}
	var detailed *strictjson.Error
	if code := httpapi.CodeOf(err); code == "internal_error" && !errors.As(err, &detailed) {
		t.Errorf("a body is refused with %v", err)
	}
	return false
}

// plain is p with no list where it is empty.
func plain(p policy.Policy) policy.Policy {
	if len(p.Embeds) == 0 {
		p.Embeds = nil
	}
	if len(p.Customers) == 0 {
		p.Customers = nil
	}
	if len(p.Origins) == 0 {
		p.Origins = nil
	}
	return p
}

func plainRestriction(r policy.Restriction) policy.Restriction {
	if len(r.Embeds) == 0 {
		r.Embeds = nil
	}
	if len(r.Customers) == 0 {
		r.Customers = nil
	}
	if len(r.Origins) == 0 {
		r.Origins = nil
	}
	return r
}
