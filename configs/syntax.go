package configs

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// syntaxFault is the line and the words of what the YAML parser says of data,
// unless it quotes the file: a secret without quotes may begin with a character
// that means something to YAML.
//
// Errors of the parser, unlike those of the scanner beneath it, carry a line
// that is one too low, and it is the line on which the broken construct begins.
// https://github.com/yaml/go-yaml/blob/v3.0.6/decode.go#L112
func syntaxFault(data []byte, err error) (int, string) {
	line, detail := 0, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line ([0-9]+): (.*)$`).FindStringSubmatch(detail); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line, detail = n, m[2]
		}
	}
	parser := regexp.MustCompile(`^(did not find expected (',' or|'-' indicator|<document|key$|node content)|` +
		`found (undefined tag|duplicate %|incompatible))`)
	switch {
	case strings.Contains(detail, "anchor"), strings.Contains(detail, "`"):
		special := regexp.MustCompile(`(^|[\s\[{,])[*&!]\S`)
		if at := special.FindIndex(data); at != nil {
			line = 1 + bytes.Count(data[:at[1]], []byte("\n"))
		}
		detail = "an alias or a tag that is not supported; quote a value that begins with *, & or !"
	case parser.MatchString(detail):
		line, detail = line+1, detail+", in what begins or breaks here"
	}
	return max(line, 1), "not YAML: " + detail
}

// strangeLine finds the first line with a byte that YAML does not allow: the
// parser does not say where it is.
func strangeLine(data []byte) (int, bool) {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && size == 1, unicode.IsControl(r) && r != '\t' && r != '\r' && r != '\u0085':
			return line, true
		}
		data = data[size:]
	}
	return 0, false
}
