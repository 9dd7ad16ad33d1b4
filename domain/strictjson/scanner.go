package strictjson

import "unicode/utf16"

// manyNames is from how many members on an object's names are looked up in a set: below it, comparing with each is faster and
// allocates nothing; above it, comparing with each would take quadratic time.
const manyNames = 16

// scanner proves one text. It descends one call per level, MaxDepth levels at most, and stores no pointer, so that it lives on the stack.
type scanner struct {
	text string
	pos  int
	// list is the member of the outermost object whose elements are proved to be values and no more: see Envelope. foreign says that
	// one of them is being read.
	list    string
	foreign bool
}

// open says whether so many objects and arrays may be open at once. An element of a list has MaxDepth for itself.
func (s *scanner) open(depth int) bool {
	if s.foreign {
		return depth <= MaxDepth+aroundElement
	}
	return depth <= MaxDepth
}

func (s *scanner) document() error {
	s.space()
	start := s.pos
	if err := s.value(0); err != nil {
		return err
	}
	if s.text[start] != '{' {
		return &Error{Offset: start, err: ErrNotObject}
	}
	if s.space(); s.pos < len(s.text) {
		return &Error{Offset: s.pos, err: ErrTrailing}
	}
	return nil
}

// value proves one value inside depth open objects and arrays.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); c {
	case '{':
		return s.object(depth + 1)
	case '[':
		return s.array(depth + 1)
	case '"':
		return s.string()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) object(depth int) error {
	if !s.open(depth) {
		return &Error{Offset: s.pos, err: ErrDepth}
	}
	s.pos++
	if s.space(); s.take('}') {
		return nil
	}
	if s.foreign {
		return s.foreignMembers(depth)
	}
	var names nameSet
	for {
		start := s.pos
		name, err := s.name()
		if err != nil {
			return err
		}
		if !names.add(name) {
			return &Error{Offset: start, Name: capped(name), err: ErrDuplicate}
		}
		if s.space(); !s.take(':') {
			return s.syntax()
		}
		s.space()
		s.foreign = s.list != "" && depth == 1 && name == s.list && s.peek() == '['
		err = s.value(depth)
		s.foreign = false
		if err != nil {
			return err
		}
		if ended, err := s.ended('}'); ended || err != nil {
			return err
		}
	}
}

// foreignMembers proves the members of an object in an element of the list. Their names are for whoever reads the element.
func (s *scanner) foreignMembers(depth int) error {
	for {
		if s.peek() != '"' {
			return s.syntax()
		}
		if err := s.string(); err != nil {
			return err
		}
		if s.space(); !s.take(':') {
			return s.syntax()
		}
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		if ended, err := s.ended('}'); ended || err != nil {
			return err
		}
	}
}

// name proves a member name and decodes it.
func (s *scanner) name() (string, error) {
	start := s.pos
	if s.peek() != '"' {
		return "", s.syntax()
	}
	if err := s.string(); err != nil {
		return "", err
	}
	return unquote(s.text[start:s.pos]), nil
}

// nameSet holds the names of one object: the first few in place, and all of them in a set once they are many.
type nameSet struct {
	few  [manyNames]string
	len  int
	many map[string]struct{}
}

// add says whether the name is new.
func (n *nameSet) add(name string) bool {
	if n.len < manyNames {
		for _, other := range n.few[:n.len] {
			if other == name {
				return false
			}
		}
		n.few[n.len] = name
		n.len++
		return true
	}
	if n.many == nil {
		n.many = make(map[string]struct{}, 2*manyNames)
		for _, other := range n.few {
			n.many[other] = struct{}{}
		}
	}
	size := len(n.many)
	n.many[name] = struct{}{}
	return len(n.many) > size
}

func (s *scanner) array(depth int) error {
	if !s.open(depth) {
		return &Error{Offset: s.pos, err: ErrDepth}
	}
	s.pos++
	if s.space(); s.take(']') {
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		if ended, err := s.ended(']'); ended || err != nil {
			return err
		}
	}
}

// ended takes what stands behind a member or an element: the end, or a comma.
func (s *scanner) ended(end byte) (bool, error) {
	if s.space(); s.take(end) {
		return true, nil
	}
	if !s.take(',') {
		return false, s.syntax()
	}
	s.space()
	return false, nil
}

// string proves a string and leaves pos behind its closing quote.
func (s *scanner) string() error {
	text, at := s.text, s.pos+1
	for at < len(text) {
		switch c := text[at]; {
		case c == '"':
			s.pos = at + 1
			return nil
		case c == '\\':
			s.pos = at
			if err := s.escape(); err != nil {
				return err
			}
			at = s.pos
		case c < ' ':
			s.pos = at
			return s.syntax()
		default:
			at++
		}
	}
	s.pos = at
	return s.syntax()
}

// escape proves one escape, or two that make a surrogate pair, and leaves pos behind it.
func (s *scanner) escape() error {
	start := s.pos
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
		s.pos++
	default:
		return s.syntax()
	}
	r, ok := hex4(s.text[s.pos:])
	if !ok {
		return s.syntax()
	}
	s.pos += 4
	if !utf16.IsSurrogate(r) || s.foreign {
		return nil
	}
	if s.take('\\') && s.take('u') {
		low, ok := hex4(s.text[s.pos:])
		if !ok {
			return s.syntax()
		}
		s.pos += 4
		if utf16.DecodeRune(r, low) != '\uFFFD' {
			return nil
		}
	}
	return &Error{Offset: start, err: ErrUTF8}
}

func (s *scanner) number() error {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return s.syntax()
	}
	if s.take('.') && !s.digits() {
		return s.syntax()
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return s.syntax()
		}
	}
	return nil
}

// digits passes over decimal digits and says whether there was any.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) word(word string) error {
	for i := range len(word) {
		if !s.take(word[i]) {
			return s.syntax()
		}
	}
	return nil
}

func (s *scanner) space() { s.pos = skipSpace(s.text, s.pos) }

// peek is the byte at pos, and 0 at the end of the text: no value, name or escape has it.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// take passes over c when it is next.
func (s *scanner) take(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) syntax() error { return &Error{Offset: s.pos, err: ErrSyntax} }

// skipSpace is the first offset from at on that is not white space (RFC 8259 section 2).
func skipSpace(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}
