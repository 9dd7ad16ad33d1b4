package vaulttest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// dialerOf is the one of pids that made the connection which c is the accepted
// end of; 0 if none did.
func dialerOf(c *net.TCPConn, pids []int) int {
	inode := inodeOf(c.RemoteAddr().(*net.TCPAddr).Port, c.LocalAddr().(*net.TCPAddr).Port)
	if inode == "" {
		return 0
	}
	for _, pid := range pids {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == "socket:["+inode+"]" {
				return pid
			}
		}
	}
	return 0
}

// inodeOf is the socket of the connection between two ports of 127.0.0.1,
// as proc_pid_net(5) lists it.
func inodeOf(from, to int) string {
	const loopback = "0100007F"
	ends := fmt.Sprintf("%s:%04X %s:%04X", loopback, from, loopback, to)
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(table)) {
		if field := strings.Fields(line); len(field) > 9 && field[1]+" "+field[2] == ends {
			return field[9]
		}
	}
	return ""
}
