// Package codec answers: which bytes stand for a group, for a ring of keys, for the
// state of an audit log, or for revocations, in a store that keeps documents?
//
// The documents are JSON objects of a closed set of members; "v" is their
// format. There is one way to write a value: a document is accepted only if it
// is what the value it stands for is encoded as, so that unknown, repeated or
// missing members, other spellings and trailing data are all refused. What
// breaks a rule of the domain is refused on the way in, where the caller can
// still be told, and on the way out, where it is damage.
//
// # Caveats
//
// The document of a ring holds the values of its secrets in clear, and that of an
// audit log its key: they are for sealed storage only.
package codec
