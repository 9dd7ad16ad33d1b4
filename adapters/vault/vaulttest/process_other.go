//go:build !linux

package vaulttest

import "syscall"

// attributes make a process the leader of a group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
