package host

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Holder is a process that holds the lock of a file.
type Holder struct {
	PID int
	// Name is the name of its program; empty where that cannot be told.
	Name string
}

// HolderOf finds the process that has taken the exclusive lock (flock(2)) of the
// file. It takes no lock. known is false where nobody holds it, or where that
// cannot be told.
func HolderOf(path string) (h Holder, known bool) {
	var file syscall.Stat_t
	if err := syscall.Stat(path, &file); err != nil {
		return Holder{}, false
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return Holder{}, false
	}
	pid := holder(string(table), fmt.Sprintf("%02x:%02x:%d", major(file.Dev), minor(file.Dev), file.Ino))
	if pid <= 0 { // of another container
		return Holder{}, false
	}
	return Process(pid), true
}

// Process names the program of a process, where that can be told.
func Process(pid int) Holder {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return Holder{PID: pid, Name: strings.TrimSpace(string(name))}
}

// holder reads /proc/locks (proc_locks(5)): "1: FLOCK  ADVISORY  WRITE 4711
// 08:01:1234 0 EOF", with an arrow before the type of one who waits.
func holder(table, file string) (pid int) {
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) < 6 || words[1] != "FLOCK" || words[3] != "WRITE" || words[5] != file {
			continue
		}
		if n, err := strconv.Atoi(words[4]); err == nil {
			return n
		}
	}
	return 0
}

// major and minor take the number of a device apart as makedev(3) made it.
func major(dev uint64) uint64 { return dev>>8&0xfff | dev>>32&^0xfff }

func minor(dev uint64) uint64 { return dev&0xff | dev>>12&0xffffff00 }
