// Package halfcore makes a control group that holds programs to half a core, as the
// limits of a container do. It is for tests and measurements, and linked into no binary.
package halfcore

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Group is a control group.
type Group struct {
	// Version is "v1" or "v2".
	Version string

	dir string
}

// Make returns nil where none can be made. Half of each period is granted, and before
// others that want it: who asks a server runs on another machine, and takes nothing of
// what the server has.
func Make(name string, period time.Duration) *Group {
	quota, whole := strconv.FormatInt(period.Microseconds()/2, 10), strconv.FormatInt(period.Microseconds(), 10)
	for _, v := range []struct {
		version, root string
		limits        [][2]string
	}{
		{"v2", "/sys/fs/cgroup", [][2]string{{"cpu.max", quota + " " + whole}, {"cpu.weight", "10000"}}},
		{"v1", "/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", whole}, {"cpu.cfs_quota_us", quota}, {"cpu.shares", "262144"}}},
	} {
		g := &Group{Version: v.version, dir: filepath.Join(v.root, name)}
		if os.Mkdir(g.dir, 0o750) != nil {
			continue
		}
		if g.limit(v.limits) == nil {
			return g
		}
		_ = g.Remove()
	}
	return nil
}

// limit fails where the files are none that exist already, and so set no limit.
func (g *Group) limit(limits [][2]string) error {
	for _, l := range limits {
		file, err := os.OpenFile(filepath.Join(g.dir, l[0]), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("halfcore: %w", err)
		}
		_, err = file.WriteString(l[1])
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return fmt.Errorf("halfcore: %w", err)
		}
	}
	return nil
}

// Within is the command that begins in the group: what it reads of its limits when it
// begins is then what it gets.
func (g *Group) Within(command ...string) []string {
	return append([]string{"/bin/sh", "-c", `echo $$ > "$0"/cgroup.procs && exec "$@"`, g.dir}, command...)
}

// Remove removes the group, once whoever was in it has ended.
func (g *Group) Remove() error {
	if err := os.Remove(g.dir); err != nil {
		return fmt.Errorf("halfcore: %w", err)
	}
	return nil
}
