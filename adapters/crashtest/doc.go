// Package crashtest answers: is a write that was acknowledged still there when
// the process was killed, the disk failed, or there was no room left? It has
// tests only. They run the stores that keep their data on a disk, through the
// ports, in a process of their own:
//
//   - kill_test.go kills it at a random moment, its very first start included,
//     opens the store again and compares everything in it with what was
//     acknowledged. A writer that acknowledges too early must be caught. Readers
//     of revocations go on from where they were before.
//   - trace_test.go reads the system calls of one write: a killed process leaves
//     the page cache alive, so only these show that file and directory were
//     synced before the acknowledgement.
//   - fault_test.go fails each of those syncs in turn: such a write is refused.
//   - full_test.go fills the disk.
//
// The long forms are the tests named TestCampaign…; they run when EMBEDSEAL_LONG
// is set, to a factor on the number of rounds. EMBEDSEAL_SEED repeats a run.
package crashtest
