package codec_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/token"
)

func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "never") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "unix"), 0).UTC()
	})
}

func durations() *rapid.Generator[iso8601.Duration] {
	return rapid.Custom(func(t *rapid.T) iso8601.Duration {
		text := rapid.StringMatching(`P([1-9][0-9]{0,3}Y)?([1-9][0-9]{0,3}M)?[1-9][0-9]{0,5}D(T[1-9][0-9]{0,3}H([1-9][0-9]{0,2}(\.[0-9]{1,8}[1-9])?S)?)?`).Draw(t, "duration")
		d, err := iso8601.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return d
	})
}

func TestEveryRingIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9_-][A-Za-z0-9._-]{0,19}`), 0, 8, rapid.ID).Draw(t, "ids")
		var keys []key.Key
		for _, id := range ids {
			k := key.Key{
				ID: key.ID(id), State: key.State(rapid.IntRange(0, 3).Draw(t, "state")),
				Custody: rapid.SampledFrom([]key.Custody{key.Material, key.VaultTransit}).Draw(t, "custody"), CreatedAt: times().Draw(t, "created"),
			}
			if k.Custody == key.VaultTransit {
				k.Ref = rapid.StringMatching(`[!-~]{1,40}`).Draw(t, "ref")
			}
			if k.Custody == key.Material && k.State != key.Destroyed {
				var err error
				if k.Secret, err = key.ParseSecret(rapid.StringMatching(`[!-~]{32}`).Draw(t, "secret")); err != nil {
					t.Fatal(err)
				}
			}
			govern(t, &k, ids)
			keys = append(keys, k)
		}
		defaultID := key.ID(rapid.SampledFrom(append(ids, "")).Draw(t, "default"))
		want, err := key.NewRing(keys, defaultID)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := codec.EncodeRing("acme", want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codec.DecodeRing("acme", doc)
		if err != nil || got.DefaultID() != defaultID {
			t.Fatalf("default %q, error %v", got.DefaultID(), err)
		}
		if diff := cmp.Diff(want.Keys(), got.Keys(), cmpopts.EquateEmpty(), sameMark()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// govern gives a key what comes with its management.
func govern(t *rapid.T, k *key.Key, ids []string) {
	// Of the characters that stand in words, those that JSON writes in other ways.
	k.Label = rapid.StringOfN(rapid.SampledFrom([]rune(`aé"\/<>&𝄞 `+"\u00a0")), 0, 25, -1).Draw(t, "label")
	k.Note = rapid.StringOfN(rapid.SampledFrom([]rune("aé\"\\<\n\t𝄞")), 0, 200, -1).Draw(t, "note")
	if k.RetiresAt = times().Draw(t, "retires"); !k.RetiresAt.IsZero() || k.State != key.Active {
		if k.SafeToDestroyAt = times().Draw(t, "safe"); k.SafeToDestroyAt.Before(k.RetiresAt) {
			k.SafeToDestroyAt = time.Time{}
		}
	}
	if rapid.Bool().Draw(t, "rotated") {
		k.Replaces = key.ID(rapid.SampledFrom(ids).Draw(t, "replaces"))
	}
	var err error
	if k.Creation, err = replay.Of(rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "once"), "keys", nil); err != nil {
		t.Fatal(err)
	}
}

func TestEveryGroupIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := group.Group{
			ID: group.ID(rapid.StringMatching(`[a-z0-9-]{1,40}`).Draw(t, "id")), Name: rapid.String().Draw(t, "name"),
			Policy: policy.Policy{
				DefaultLifetime: durations().Draw(t, "default"), MaxLifetime: durations().Draw(t, "max"), ChartEmbedding: rapid.Bool().Draw(t, "chart"),
			},
			CreatedAt: times().Draw(t, "created"),
		}
		rules := restrictions().Draw(t, "rules")
		want.Policy.Embeds, want.Policy.Customers, want.Policy.Origins, want.Policy.OriginRequired = rules.Embeds, rules.Customers, rules.Origins, rules.OriginRequired
		want.Policy.PinnedKey, want.Policy.Mode = rules.PinnedKey, rapid.SampledFrom([]policy.Mode{policy.Reject, policy.Clamp}).Draw(t, "mode")
		if want.Policy.Features = rules.Features; !rules.LimitFeatures {
			want.Policy.Features = token.UnsetFeatures()
		}
		for _, id := range rapid.SliceOfNDistinct(rapid.String(), 0, 5, rapid.ID).Draw(t, "tokens") {
			token := apitoken.Token{
				ID: id, Name: rapid.String().Draw(t, "token name"), Scopes: apitoken.Scopes(rapid.Uint8Range(0, uint8(apitoken.ReadWrite)).Draw(t, "scopes")),
				CreatedAt: times().Draw(t, "created"), ExpiresAt: times().Draw(t, "expires"),
			}
			token.Restriction = restrictions().Draw(t, "restriction")
			copy(token.Digest[:], rapid.SliceOfN(rapid.Byte(), len(token.Digest), len(token.Digest)).Draw(t, "digest"))
			want.Tokens = append(want.Tokens, token)
		}
		governGroup(t, &want)
		doc, err := codec.EncodeGroup(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codec.DecodeGroup(want.ID, doc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameGroup()); diff != "" {
			t.Fatal(diff)
		}
	})
}
