package host_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"embedseal/adapters/host"
)

func TestTheHolderOfALockIsFoundInTheKernelsTable(t *testing.T) {
	const table = "1: POSIX  ADVISORY  WRITE 7 08:01:1234 0 EOF\n" +
		"2: FLOCK  ADVISORY  READ 8 08:01:1234 0 EOF\n" +
		"2: -> FLOCK  ADVISORY  WRITE 9 08:01:1234 0 EOF\n" +
		"3: FLOCK  ADVISORY  WRITE 10 08:01:1235 0 EOF\n" +
		"4: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF\nshort\n"
	for file, want := range map[string]int{"08:01:1234": 4711, "08:01:1235": 10, "08:02:1234": 0} {
		if got := host.HolderIn(table, file); got != want {
			t.Errorf("%s: got %d, want %d", file, got, want)
		}
	}
	for dev, want := range map[uint64][2]uint64{0x0801: {8, 1}, 0x1210f34: {0x10f, 0x1234}, 0x1234500000000801: {0x12345008, 1}} {
		if major, minor := host.Device(dev); major != want[0] || minor != want[1] {
			t.Errorf("device %#x: got %#x:%#x, want %#x", dev, major, minor, want)
		}
	}
}

func TestTheHolderOfALockIsThisProcessWhenItTookIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if h, known := host.HolderOf(path); known {
		t.Errorf("held by %+v before anybody took it", h)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	// Where the kernel's table is not to be read, nobody is named.
	if h, known := host.HolderOf(path); known && (h.PID != os.Getpid() || h.Name == "") {
		t.Errorf("held by %+v, want %d", h, os.Getpid())
	}
	if _, known := host.HolderOf(path + ".gone"); known {
		t.Error("a file that is not there is held")
	}
}

func TestADiskSaysWhatIsLeft(t *testing.T) {
	s, err := host.SpaceAt(t.TempDir())
	if err != nil || s.Total == 0 || s.Free > s.Total || s.FreeFiles > s.TotalFiles || s.ReadOnly {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := host.SpaceAt(filepath.Join(t.TempDir(), "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
}

func TestAClockIsKeptWhereTheKernelSaysSo(t *testing.T) {
	for _, tt := range []struct {
		state  int
		status int32
		want   bool
	}{{0, 0x2001, true}, {1, 0x2001, true}, {5, 0x2041, false}, {0, 0x40, false}, {5, 0, false}} {
		if got := host.Kept(tt.state, tt.status); got != tt.want {
			t.Errorf("state %d, status %#x: got %v", tt.state, tt.status, got)
		}
	}
	if synchronised, known := host.ClockSynchronised(); synchronised && !known {
		t.Error("synchronised, and not known")
	}
}
