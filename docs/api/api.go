// Package api answers: what may be asked of embedseal over HTTP, and what is
// answered? The document is written by hand, before the code.
package api

import _ "embed"

//go:embed openapi.yaml
var document []byte

// Document is openapi.yaml. It is the caller's to change.
func Document() []byte { return append([]byte(nil), document...) }
