package host

// HolderIn is for tests: the process that a table names.
func HolderIn(table, file string) int { return holder(table, file) }

// Device takes the number of a device apart.
func Device(dev uint64) (uint64, uint64) { return major(dev), minor(dev) }

// Kept reads the answer of adjtimex(2).
func Kept(state int, status int32) bool { return kept(state, status) }
