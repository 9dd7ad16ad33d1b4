package strictjson

// aroundElement is how many objects and arrays stand around an element of an Envelope's list.
const aroundElement = 2

// Envelope is Object for an object that carries texts of others: the elements of its member list. Their own faults are for whoever reads
// them, one by one, so that one that is bad spoils no other: that a member name occurs twice in one of them, and that an escape in one is
// half a surrogate pair, is no fault here. Give each to Object. Everything around the elements is proved as Object proves it, and they are
// proved to be JSON values, nested at most MaxDepth deep, each counted for itself.
//
// The elements are views into data, without white space around them, in the order of the text; nil when there is no such member, or it is
// no array. member is called for each of the other members, and for one of that name that is no array.
func Envelope(data []byte, list string, member func(name string, v Value) error) (elements [][]byte, err error) {
	if at := firstInvalid(data); at >= 0 {
		return nil, &Error{Offset: at, err: ErrUTF8}
	}
	s := scanner{text: string(data), list: list}
	if err := s.document(); err != nil {
		return nil, err
	}
	err = report(data, s.text, func(name string, v Value) error {
		if name == list && v.Kind() == Array {
			elements = rawElements(v)
			return nil
		}
		return member(name, v)
	})
	if err != nil {
		return nil, err
	}
	return elements, nil
}

func rawElements(v Value) [][]byte {
	values := v.Elements()
	raw := make([][]byte, len(values))
	for i, e := range values {
		raw[i] = e.raw
	}
	return raw
}
