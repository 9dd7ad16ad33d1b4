package token

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"embedseal/domain/strictjson"
)

// ErrClaims is wrapped by every refusal of [ParseClaims].
var ErrClaims = errors.New("malformed claims")

// maxExpiry is the end of the year 9999, in seconds since 1970.
const maxExpiry = 253402300799

// ParseClaims reads what stands in a token, whoever minted it: exp may be an
// integer or a fraction (RFC 7519 section 2, NumericDate) and is required, as
// are cst and dsh; claims that are not ours are let be. A member that stands
// twice, a null, a wrong type and an origin that is none are refused. The error
// wraps [ErrClaims] and holds no value.
//
// It does not look at the time: [Claims.ValidAt] does.
func ParseClaims(data []byte, chart ChartClaim) (Claims, error) {
	c := Claims{Features: UnsetFeatures()}
	seen := struct{ exp, features bool }{}
	err := strictjson.Object(data, func(name string, v strictjson.Value) error {
		var err error
		switch name {
		case ClaimCustomer:
			c.Customer, err = idClaim(v)
		case ClaimEmbed:
			c.Embed, err = idClaim(v)
		case chart.String():
			c.Chart, err = idClaim(v)
		case ClaimExpiry:
			seen.exp = true
			c.ExpiresAt, err = timeClaim(v)
		case ClaimIssuedAt:
			c.IssuedAt, err = timeClaim(v)
		case ClaimNotBefore:
			c.NotBefore, err = timeClaim(v)
		case ClaimOrigin:
			c.Origin, err = originClaim(v)
		case ClaimFeatures, claimOldFeatures:
			if seen.features {
				err = errors.New("the features stand there twice, under the old and the new name")
			} else {
				seen.features = true
				c.Features, err = featuresClaim(v)
			}
		case ClaimDisableEditing:
			c.DisableEditing, err = flagClaim(v)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrClaims, name, err)
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrClaims):
		return Claims{}, err
	case err != nil:
		return Claims{}, fmt.Errorf("%w: %w", ErrClaims, err)
	case !seen.exp:
		return Claims{}, fmt.Errorf("%w: exp is missing", ErrClaims)
	case c.Customer == "":
		return Claims{}, fmt.Errorf("%w: cst is missing", ErrClaims)
	case c.Embed == "":
		return Claims{}, fmt.Errorf("%w: dsh is missing", ErrClaims)
	}
	return c, nil
}

func idClaim(v strictjson.Value) (string, error) {
	s, ok := v.Text()
	switch {
	case !ok:
		return "", fmt.Errorf("is %s, must be a string", v.Kind())
	case s == "" || len(s) > MaxID || !Plain(s):
		return "", fmt.Errorf("must have 1 to %d bytes and no control characters", MaxID)
	}
	return s, nil
}

// timeClaim takes an integer or a fraction: a documented sample mints with
// Python's `.timestamp()`, which is a float.
func timeClaim(v strictjson.Value) (time.Time, error) {
	if v.Kind() != strictjson.Number {
		return time.Time{}, fmt.Errorf("is %s, must be a number", v.Kind())
	}
	text := string(v.Raw())
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		if whole <= 0 || whole > maxExpiry {
			return time.Time{}, errors.New("is out of range")
		}
		return time.Unix(whole, 0).UTC(), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	// Below one, it would be written back as 0, which is no time of ours.
	if err != nil || !(seconds >= 1) || seconds > maxExpiry {
		return time.Time{}, errors.New("is out of range")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

func originClaim(v strictjson.Value) (Origin, error) {
	s, ok := v.Text()
	if !ok {
		return Origin{}, fmt.Errorf("is %s, must be a string", v.Kind())
	}
	return ParseOrigin(s)
}

func featuresClaim(v strictjson.Value) (Features, error) {
	elements := v.Elements()
	if elements == nil {
		return Features{}, fmt.Errorf("is %s, must be an array of strings", v.Kind())
	}
	words := make([]string, len(elements))
	for i, e := range elements {
		word, ok := e.Text()
		if !ok {
			return Features{}, fmt.Errorf("element %d is %s, must be a string", i, e.Kind())
		}
		words[i] = word
	}
	return ParseFeatures(words)
}

func flagClaim(v strictjson.Value) (Flag, error) {
	b, ok := v.Bool()
	switch {
	case !ok:
		return Unset, fmt.Errorf("is %s, must be true or false", v.Kind())
	case b:
		return Yes, nil
	}
	return No, nil
}
