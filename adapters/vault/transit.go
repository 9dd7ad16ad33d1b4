package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

const (
	// firstVersion is that of a Transit key that was just made.
	firstVersion = 1

	transitIVSize  = 12
	transitTagSize = 16
	// longIVSize is read of tokens whose key is in hand, and not by Transit.
	longIVSize = 16
)

var _ ports.TokenCipher = (*Cipher)(nil)

// Cipher seals and opens with keys of the custody [key.VaultTransit], which
// never leave Vault. It implements ports.TokenCipher: whatever keeps Vault from
// answering is an error that wraps ports.ErrCustodyUnavailable.
type Cipher struct{ b *Backend }

// NewCipher returns the cipher whose keys lie in the Transit engine of b.
func NewCipher(b *Backend) *Cipher { return &Cipher{b} }

// sealRequest is the body of transit/encrypt. Type is that of the key that
// Vault makes when there is none and the token may create: a type that does not
// exist, so that it makes none.
// https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data
type sealRequest struct {
	Plaintext      []byte `json:"plaintext"`
	AssociatedData []byte `json:"associated_data"`
	KeyVersion     int    `json:"key_version"`
	Type           string `json:"type"`
}

// versionPrefix stands before what Transit sealed with that version.
func versionPrefix(version int) string { return "vault:v" + strconv.Itoa(version) + ":" }

// openRequest is the body of transit/decrypt.
type openRequest struct {
	Ciphertext     string `json:"ciphertext"`
	AssociatedData []byte `json:"associated_data"`
}

// Seal implements ports.TokenCipher. What Transit answers is IV, ciphertext and
// tag: with the encoded header as associated data, that is a compact JWE.
func (c *Cipher) Seal(ctx context.Context, g group.ID, k *key.Sealer, claims []byte) ([]byte, error) {
	what := "seal with key " + shownID(k.ID())
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, version, err := c.b.keyName(g, *k.Key())
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", what, err)
	}
	header, err := k.Header()
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w: its id is not a kid", what, ports.ErrCustody)
	}
	data, err := c.ask(ctx, "encrypt", name, version, sealRequest{
		Plaintext: claims, AssociatedData: []byte(header), KeyVersion: version, Type: "none",
	})
	if err != nil {
		return nil, c.explain(ctx, what, err)
	}
	sealed, _ := data["ciphertext"].(string)
	encoded, ours := strings.CutPrefix(sealed, versionPrefix(version))
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ours || err != nil || len(raw) != transitIVSize+len(claims)+transitTagSize {
		return nil, c.explain(ctx, what, notVault())
	}
	end := len(raw) - transitTagSize
	return jwe.AppendCompact(nil, header, raw[:transitIVSize], raw[transitIVSize:end], raw[end:]), nil
}

// Open implements ports.TokenCipher. A 16-byte IV is refused without a call:
// Transit cuts off twelve bytes.
func (c *Cipher) Open(ctx context.Context, g group.ID, k key.Key, token jwe.Compact) ([]byte, error) {
	what := "open with key " + shownID(k.ID)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, version, err := c.b.keyName(g, k)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", what, err)
	}
	switch len(token.IV()) {
	case transitIVSize:
	case longIVSize:
		return nil, fmt.Errorf("vault: %s: %w: Transit opens no token with an IV of %d bytes", what, ports.ErrCustody, longIVSize)
	default:
		return nil, fmt.Errorf("vault: %s: %w: no token has an IV of %d bytes", what, ports.ErrBadTag, len(token.IV()))
	}
	raw := append(append(make([]byte, 0, transitIVSize+len(token.Sealed())), token.IV()...), token.Sealed()...)
	data, err := c.ask(ctx, "decrypt", name, version, openRequest{
		Ciphertext:     versionPrefix(version) + base64.StdEncoding.EncodeToString(raw),
		AssociatedData: []byte(token.EncodedHeader()),
	})
	var f *failure
	switch {
	case errors.As(err, &f) && f.status == http.StatusBadRequest:
		return nil, fmt.Errorf("vault: %s: %w", what, ports.ErrBadTag)
	case err != nil:
		return nil, c.explain(ctx, what, err)
	}
	encoded, _ := data["plaintext"].(string)
	claims, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(claims) != len(token.Ciphertext()) {
		return nil, c.explain(ctx, what, notVault())
	}
	return claims, nil
}

// ask uses the Transit key of that name. Asking twice does no harm, so that a
// connection which was cut is no failure. A refusal that the key's own state
// accounts for is ports.ErrCustody: Vault refuses a key that is gone like a
// token that is wrong, or like a path that is not allowed.
func (c *Cipher) ask(ctx context.Context, verb, name string, version int, body any) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, c.b.cfg.CallTimeout)
	defer cancel()
	path := c.b.cfg.TransitMount + "/" + verb + "/" + name
	resp, err := c.b.call(ctx, http.MethodPut, path, body)
	if err != nil && !untouched(err) && ctx.Err() == nil {
		resp, err = c.b.call(ctx, http.MethodPut, path, body)
	}
	var f *failure
	switch {
	case err == nil && resp.Secret != nil:
		return resp.Data, nil
	case err == nil:
		return nil, notVault()
	case errors.As(err, &f) && refusesThis(f):
		found, lookErr := c.b.transitKey(ctx, name)
		if lookErr == nil && !found.there {
			return nil, fmt.Errorf("%w: it is not in Transit", ports.ErrCustody)
		}
		if lookErr == nil && found.unfit(version) != "" {
			return nil, fmt.Errorf("%w: %s", ports.ErrCustody, found.unfit(version))
		}
	}
	return nil, err
}

// refusesThis reports whether Vault is there and will not do what was asked.
func refusesThis(f *failure) bool {
	return f.status == http.StatusBadRequest || f.status == http.StatusForbidden && !f.badToken
}

// explain says what was done. Everything that Vault did not do is one sentinel:
// keys of this custody cannot be used now. Which it is, the text says.
func (c *Cipher) explain(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ports.ErrCustody):
		return fmt.Errorf("vault: %s: %w", what, err)
	}
	return fmt.Errorf("vault: %s: %w: %s", what, ports.ErrCustodyUnavailable, err.Error())
}

// transitKey is what Transit tells of a key.
type transitKey struct {
	there, exportable, derived, deletable bool
	kind                                  string
	// oldestOpens and oldestSeals are the lowest versions that Transit uses; of
	// sealing, 0 is all.
	oldestOpens, oldestSeals int64
	made                     time.Time // zero where Transit does not tell
}

// transitKey reads the key of that name, if there is one.
func (b *Backend) transitKey(ctx context.Context, name string) (transitKey, error) {
	resp, err := b.call(ctx, http.MethodGet, b.cfg.TransitMount+"/keys/"+name, nil)
	if err != nil || resp.status == http.StatusNotFound {
		return transitKey{}, err
	}
	return describe(resp.Data)
}

func describe(data map[string]any) (transitKey, error) {
	k := transitKey{there: true}
	k.kind, _ = data["type"].(string)
	k.exportable, _ = data["exportable"].(bool)
	k.derived, _ = data["derived"].(bool)
	k.deletable, _ = data["deletion_allowed"].(bool)
	var openErr, sealErr error
	k.oldestOpens, openErr = integer(data["min_decryption_version"])
	k.oldestSeals, sealErr = integer(data["min_encryption_version"])
	if versions, _ := data["keys"].(map[string]any); len(versions) > 0 {
		if seconds, err := integer(versions[strconv.Itoa(firstVersion)]); err == nil {
			k.made = time.Unix(seconds, 0)
		}
	}
	if k.kind == "" || openErr != nil || sealErr != nil {
		return transitKey{}, notVault()
	}
	return k, nil
}

func integer(v any) (int64, error) {
	number, _ := v.(json.Number)
	n, err := number.Int64()
	if err != nil {
		return 0, fmt.Errorf("vault: read a number: %w", err)
	}
	return n, nil
}

// transitType is AES-256-GCM with a random IV of twelve bytes.
const transitType = "aes256-gcm96"

// unfit says why tokens cannot be made or opened with that version of the key;
// empty if they can.
func (k transitKey) unfit(version int) string {
	switch {
	case k.kind != transitType:
		return "its Transit key is not of the type " + transitType
	case k.derived:
		return "its Transit key derives others"
	case k.oldestOpens > int64(version) || k.oldestSeals > int64(version):
		return "its Transit key has a minimum version above the one that is used"
	}
	return ""
}
