// Package host answers: what does this machine say of its disks, its clock, and of
// who holds a file? It is for diagnosis, and for Linux.
//
// # Caveats
//
// In a container the processes outside are not seen: a lock is held then by
// nobody who has a number. Where a question is not answered, the answer says so.
package host
