package httpload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxAnswer bounds the body that is read, in bytes.
const maxAnswer = 16 << 20

// answer is what is told apart of an answer.
type answer struct {
	status int
	// code is the member "code" of a problem; empty for 2xx and where there is none.
	code string
	// retryAfter says whether the header is there, close whether the connection
	// ends with this answer.
	retryAfter, close bool
}

// ok is true of 2xx.
func (a answer) ok() bool { return a.status/100 == 2 }

var errNotHTTP = errors.New("the answer is not HTTP/1.1")

// receive reads an answer. After an error the connection is of no more use.
func receive(in *bufio.Reader) (answer, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if len(line) < 13 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' {
		return answer{}, errNotHTTP
	}
	var a answer
	for _, digit := range line[9:12] {
		if digit < '0' || digit > '9' {
			return answer{}, errNotHTTP
		}
		a.status = a.status*10 + int(digit-'0')
	}
	a.close = line[7] == '0'
	length, chunked, err := readHeader(in, &a)
	if err != nil {
		return answer{}, err
	}
	return a, readBody(in, &a, length, chunked)
}

// readHeader reads to the empty line. length is -1 where none is said.
func readHeader(in *bufio.Reader, a *answer) (length int64, chunked bool, err error) {
	length = -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, false, fmt.Errorf("read the header: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			return 0, false, errNotHTTP
		}
		name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
		switch { // by length first: most headers are none of these
		case colon == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return 0, false, errNotHTTP
			}
		case colon == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case colon == 11 && bytes.EqualFold(name, []byte("Retry-After")):
			a.retryAfter = len(value) > 0
		case colon == 10 && bytes.EqualFold(name, []byte("Connection")):
			a.close = a.close || bytes.EqualFold(value, []byte("close"))
		}
	}
}

func readBody(in *bufio.Reader, a *answer, length int64, chunked bool) error {
	var problem strings.Builder // what is read of an answer that is no token
	switch {
	case a.status == 204 || a.status == 304:
		return nil
	case chunked:
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return fmt.Errorf("read the body: %w", err)
			}
			size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(";"))
			n, err := strconv.ParseInt(string(size), 16, 64)
			if err != nil {
				return errNotHTTP
			}
			if err := take(in, a, &problem, n); err != nil {
				return err
			}
			if _, err := in.ReadSlice('\n'); err != nil { // no trailers are expected
				return fmt.Errorf("read the body: %w", err)
			}
			if n == 0 {
				a.code = codeIn(problem.String())
				return nil
			}
		}
	case length < 0:
		return errors.New("the answer does not say how long it is")
	}
	if err := take(in, a, &problem, length); err != nil {
		return err
	}
	a.code = codeIn(problem.String())
	return nil
}

// take reads n bytes of a body, and keeps them if it is that of a problem.
func take(in *bufio.Reader, a *answer, problem *strings.Builder, n int64) error {
	if n > maxAnswer {
		return errors.New("the answer is too long")
	}
	if a.ok() {
		if _, err := in.Discard(int(n)); err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
		return nil
	}
	if _, err := io.CopyN(problem, in, n); err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	return nil
}

// codeIn is the member "code" of a problem (docs/errors.md), read as text: nothing
// in front of it holds what a sender wrote.
func codeIn(problem string) string {
	_, rest, found := strings.Cut(problem, `"code":"`)
	if !found {
		return ""
	}
	code, _, _ := strings.Cut(rest, `"`)
	if len(code) > 64 {
		return ""
	}
	return code
}
