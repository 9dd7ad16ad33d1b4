// Package file answers the questions of every store from a directory of small
// sealed files, one for each group and one for each ring.
//
// # Layout
//
//	header.sealed  root.sealed  index/3f.sealed  group/acme.sealed  ring/acme.sealed
//	stage/         new files of the commit that is being made
//	journal        which of them replace what, while that is being done
//	lock           held while the store is open; the id of the process that holds it
//
// A commit writes its files to stage/ and syncs them, then writes the journal,
// renames it into place and syncs the directory: from then on it is done. What
// follows is renames, which opening the store again finishes after a kill. The
// space that a commit needs is thus taken before it counts.
//
// # Caveats
//
// One process at a time has the directory open. It has to be on a file system
// with locks and with atomic renames: a local one. A copy is a backup only if
// it is made while no process has the store open.
package file
