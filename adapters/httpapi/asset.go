package httpapi

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

//go:embed assets/keepalive.js
var keepalive []byte

// KeepalivePath is where the module for pages that embed is served. The same
// bytes are under KeepaliveDigest too, which names them.
const KeepalivePath = "/embed/keepalive.js"

// KeepaliveDigest is the path that changes with the module, for whoever wants it
// kept by browsers for ever.
func KeepaliveDigest() string {
	return "/embed/" + digestOf(keepalive) + "/keepalive.js"
}

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

// asset answers GET and HEAD with a file that is for every page of the world: a
// module is fetched with CORS, and there is nothing of anybody in it.
func asset(contentType string, body []byte, forEver bool) gin.HandlerFunc {
	tag, length := `"`+digestOf(body)+`"`, strconv.Itoa(len(body))
	caching := "public, no-cache" // kept, and asked about each time
	if forEver {
		caching = "public, max-age=31536000, immutable"
	}
	return func(c *gin.Context) {
		header := c.Writer.Header()
		header.Set("Cache-Control", caching)
		header.Set("ETag", tag)
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if holds(c.Request.Header.Values("If-None-Match"), tag) {
			c.Writer.WriteHeader(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return
		}
		header.Set("Content-Type", contentType)
		header.Set("Content-Length", length)
		c.Writer.WriteHeader(http.StatusOK)
		if c.Request.Method == http.MethodGet {
			_, _ = c.Writer.Write(body)
		}
	}
}

// holds reports whether a list of entity tags has this one, by the weak
// comparison of RFC 9110, section 13.1.2. Our tags have no comma.
func holds(lists []string, tag string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
