// Package records answers: is this stored record what was last written under
// this name, and nothing else?
//
// A [Store] keeps named documents in a [Medium] that anybody may have touched.
// Every blob is sealed with AES-256-GCM under a key derived from the master
// key; its associated data are the store, the kind, the id and the version, so
// that a copy of another record or of an earlier version does not open. Which
// records there are, and in which version, stands in a sealed index.
//
// # Layout
//
//   - "header", plain: a magic, the random id of the store, a check value that
//     tells a wrong master key from damage, and a checksum.
//   - "root", sealed: the generation, which counts commits, and the version of
//     each of 256 index shards.
//   - "index/00" to "index/ff", sealed: kind, id and version of the records
//     whose SHA-256 of "kind/id" begins with that byte.
//   - "kind/id", sealed: a record.
//
// A commit of generation g gives the version g to every record it writes, to
// their shards and to the root, and hands all of them to the medium at once.
//
// # Caveats
//
// Putting back the whole store of an earlier time is not noticed. A blob that
// neither the index nor a caller names is not noticed until it is asked for.
// After [ports.ErrCorrupt] nothing is written over what was found.
package records
