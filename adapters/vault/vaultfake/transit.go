package vaultfake

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// transitKey is a key of type aes256-gcm96: one version after the other.
type transitKey struct {
	kind                 string
	exportable, mayBeCut bool
	versions             [][]byte
	created              time.Time
}

func newTransitKey(kind string, exportable bool) *transitKey {
	k := &transitKey{kind: kind, exportable: exportable, created: time.Now()}
	k.rotate()
	return k
}

func (k *transitKey) rotate() {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // its error is documented to be nil always
	k.versions = append(k.versions, raw)
}

func (k *transitKey) describe(name string) answer {
	keys := map[string]any{}
	for i := range k.versions {
		keys[strconv.Itoa(i+1)] = k.created.Unix()
	}
	return answer{mount: "transit", data: map[string]any{
		"name": name, "type": k.kind, "exportable": k.exportable, "deletion_allowed": k.mayBeCut, "keys": keys,
		"latest_version": len(k.versions), "min_available_version": 0, "min_decryption_version": 1, "min_encryption_version": 0,
		"allow_plaintext_backup": false, "auto_rotate_period": 0, "derived": false, "imported_key": false,
		"supports_decryption": true, "supports_derivation": true, "supports_encryption": true, "supports_signing": false,
	}}
}

func (s *Server) transit(c *call, mount, path string) answer {
	kind, name, _ := strings.Cut(path, "/")
	name, verb, _ := strings.Cut(name, "/")
	id := mount + "\x00" + name
	if kind == "export" {
		name, id = verb, mount+"\x00"+verb
	}
	k := s.keys[id]
	switch kind {
	case "keys":
		return s.transitKeys(c, mount, id, name, verb)
	case "encrypt":
		if kind := text(c.body, "type"); k == nil && kind != "" && kind != "aes256-gcm96" {
			return failed(http.StatusBadRequest, "unknown key type "+kind)
		}
		if k == nil { // the trap that a policy without "create" closes
			k = newTransitKey("aes256-gcm96", false)
			s.keys[id] = k
		}
		return k.encrypt(c.body)
	case "decrypt":
		if k == nil {
			return failed(http.StatusBadRequest, "encryption key not found")
		}
		return k.decrypt(c.body)
	case "export":
		if k == nil {
			return failed(http.StatusNotFound)
		}
		return k.export(name)
	}
	return failed(http.StatusNotFound, "unsupported path")
}

func (s *Server) transitKeys(c *call, mount, id, name, verb string) answer {
	if name == "" && c.op == operationList {
		return listing("transit", mount+"\x00", s.keys)
	}
	k := s.keys[id]
	switch c.op + " " + verb {
	case "read ":
		if k == nil {
			return failed(http.StatusNotFound)
		}
	case "update ":
		if k == nil {
			kind := text(c.body, "type")
			if kind == "" {
				kind = "aes256-gcm96"
			}
			k = newTransitKey(kind, c.body["exportable"] == true)
			s.keys[id] = k
		}
	case "update config":
		if k == nil {
			return failed(http.StatusBadRequest, "no existing key named "+name+" could be found")
		}
		if allowed, given := c.body["deletion_allowed"].(bool); given {
			k.mayBeCut = allowed
		}
	case "update rotate":
		if k == nil {
			return failed(http.StatusBadRequest, "key not found")
		}
		k.rotate()
	case "delete ":
		switch {
		case k == nil:
			return failed(http.StatusBadRequest, "error deleting policy "+name+": could not delete key; not found")
		case !k.mayBeCut:
			return failed(http.StatusBadRequest, "error deleting policy "+name+": deletion is not allowed for this key")
		}
		delete(s.keys, id)
		return answer{}
	default:
		return failed(http.StatusMethodNotAllowed, "unsupported operation")
	}
	return k.describe(name)
}

func (k *transitKey) aead(number int) cipher.AEAD {
	block, err := aes.NewCipher(k.versions[number-1])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (k *transitKey) encrypt(body map[string]any) answer {
	plaintext, err := base64.StdEncoding.DecodeString(text(body, "plaintext"))
	if err != nil {
		return failed(http.StatusBadRequest, "failed to base64-decode plaintext")
	}
	data, err := base64.StdEncoding.DecodeString(text(body, "associated_data"))
	if err != nil {
		return failed(http.StatusBadRequest, "failed to base64-decode associated_data")
	}
	number := len(k.versions)
	if asked, given := body["key_version"].(float64); given && asked > 0 {
		number = int(asked)
	}
	if number > len(k.versions) {
		return failed(http.StatusBadRequest, "requested version for encryption is higher than the latest key version")
	}
	iv := make([]byte, 12)
	_, _ = rand.Read(iv)
	sealed := k.aead(number).Seal(iv, iv, plaintext, data)
	return answer{mount: "transit", data: map[string]any{
		"ciphertext": fmt.Sprintf("vault:v%d:%s", number, base64.StdEncoding.EncodeToString(sealed)), "key_version": number,
	}}
}

func (k *transitKey) decrypt(body map[string]any) answer {
	prefix, encoded, ok := strings.Cut(strings.TrimPrefix(text(body, "ciphertext"), "vault:v"), ":")
	number, err := strconv.Atoi(prefix)
	if !ok || err != nil || number < 1 || !strings.HasPrefix(text(body, "ciphertext"), "vault:v") {
		return failed(http.StatusBadRequest, "invalid ciphertext: no prefix")
	}
	if number > len(k.versions) {
		return failed(http.StatusBadRequest, "invalid ciphertext: version is too new")
	}
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return failed(http.StatusBadRequest, "invalid ciphertext: could not decode base64")
	}
	if len(sealed) < 12+16 {
		return failed(http.StatusBadRequest, "invalid ciphertext length")
	}
	data, err := base64.StdEncoding.DecodeString(text(body, "associated_data"))
	if err != nil {
		return failed(http.StatusBadRequest, "failed to base64-decode associated_data")
	}
	plaintext, err := k.aead(number).Open(nil, sealed[:12], sealed[12:], data)
	if err != nil {
		return failed(http.StatusBadRequest, "cipher: message authentication failed")
	}
	return answer{mount: "transit", data: map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plaintext)}}
}

func (k *transitKey) export(name string) answer {
	if !k.exportable {
		return failed(http.StatusBadRequest, "private key material is not exportable")
	}
	keys := map[string]any{}
	for i, raw := range k.versions {
		keys[strconv.Itoa(i+1)] = base64.StdEncoding.EncodeToString(raw)
	}
	return answer{mount: "transit", data: map[string]any{"name": name, "type": k.kind, "keys": keys}}
}
