// Package bbolt answers: how are the sealed records kept in one bbolt file, so
// that a damaged file is named and never used?
//
// bbolt has no checksum on its data pages, falls back to the older of its two
// meta pages without a word, and trusts every offset it reads. So the file is
// locked and its whole structure checked before bbolt maps it (preflight.go),
// what the records hold is authenticated by their seal, and every transaction
// runs where a fault in the mapped file is an error and not the end of the
// process.
//
// # Caveats
//
//   - Both meta pages must be good. A meta page torn by a power cut would be
//     repaired by bbolt with the older one; here it is refused, because the
//     same repair would hide that an acknowledged write was lost. (A meta page
//     is 80 bytes in one sector, which disks write whole.)
//   - A copy made with bbolt's Tx.WriteTo has its meta pages the wrong way round
//     when the number of its transaction is odd, and is refused: after one more
//     commit they would be two transactions apart. Commit once more before such
//     a copy, or write the records into a new store.
//   - The file never shrinks.
//   - The free list is kept in the file, although the option to leave it out
//     would save a page per commit: without it bbolt walks the tree in a
//     goroutine of its own whenever a commit fails, and a bad page met there
//     ends the process. Since it is there, the preflight also checks that every
//     page is either in use or free.
//   - The file system must have hard links and flock(2).
package bbolt
