package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// aboutMachine says where this was measured.
func aboutMachine(o options) string {
	return fmt.Sprintf("machine: %d cores (%s), Linux %s, %s memory, load average %s\nrounds: %d interleaved, %g s a turn, %d connections",
		runtime.NumCPU(), lineOf("/proc/cpuinfo", "model name"), strings.TrimSpace(text("/proc/sys/kernel/osrelease")),
		lineOf("/proc/meminfo", "MemTotal"), loadAverage(), o.rounds, o.seconds, connections)
}

func loadAverage() string {
	fields := strings.Fields(text("/proc/loadavg"))
	if len(fields) < 3 {
		return "?"
	}
	return strings.Join(fields[:3], " ")
}

// lineOf is what stands behind the colon of the first line of that name.
func lineOf(file, name string) string {
	for line := range strings.Lines(text(file)) {
		if before, after, found := strings.Cut(line, ":"); found && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return "?"
}

func text(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(data)
}
