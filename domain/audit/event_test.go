package audit_test

import (
	"reflect"
	"testing"

	"embedseal/domain/audit"
)

func TestAnEventHasNoFieldThatASecretFitsInByRight(t *testing.T) {
	// What may stand in a record, by name: a new field is to be thought about
	// here, and a list of bytes, a key or a secret text never comes in.
	allowed := map[string]string{
		"Time": "time.Time", "RequestID": "string", "Action": "audit.Action", "Outcome": "audit.Outcome", "Code": "string",
		"Rules": "[]string", "Alike": "int", "Remote": "string", "Group": "string", "TokenID": "string", "KeyID": "string",
		"Customer": "string", "Embed": "string", "Chart": "string", "IssuedAt": "time.Time", "ExpiresAt": "time.Time",
		"Fingerprint": "token.Fingerprint", "Operator": "string", "Target": "string", "Change": "string",
	}
	fields := reflect.VisibleFields(reflect.TypeFor[audit.Event]())
	for _, f := range fields {
		if want := allowed[f.Name]; f.Type.String() != want {
			t.Errorf("the field %s is a %s, want %q", f.Name, f.Type, want)
		}
	}
	if len(fields) != len(allowed) {
		t.Errorf("an event has %d fields, want %d", len(fields), len(allowed))
	}
}

func TestTheZeroOutcomeClaimsNothing(t *testing.T) {
	var zero audit.Outcome
	for _, o := range []audit.Outcome{audit.Intent, audit.Granted, audit.Refused, audit.Failed, audit.Unknown} {
		if o == zero {
			t.Errorf("%q is the zero value", o)
		}
	}
}
