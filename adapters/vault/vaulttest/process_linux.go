package vaulttest

import "syscall"

// attributes make a process the leader of a group of its own, and have the
// kernel end it when the test dies without a word (a timeout, kill -9).
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
