package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/datadir"
	"embedseal/adapters/file"
	"embedseal/adapters/host"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// all is everything of a store in the data directory, in the order in which one
// thing needs another.
func (x *examiner) all(ctx context.Context) {
	if x.absent = !x.directory(); !x.absent {
		x.space("disk", x.dir.String())
		x.permissions()
		x.store(ctx)
	}
	x.surroundings(ctx)
}

// directory reports whether there is something to look at further.
func (x *examiner) directory() bool {
	const check = "data directory"
	path := x.dir.String()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.fault(check, x.initCommand(), "%s is not there", path)
		return false
	case err != nil:
		x.fault(check, "run as the user that made it, or choose another --data-dir", "%v", err)
		return false
	case !info.IsDir():
		x.fault(check, "choose another --data-dir", "%s is a file", path)
		return false
	}
	const all = 4 | 2 | 1 // R_OK, W_OK, X_OK
	if err := syscall.Access(path, all); err != nil {
		x.fault(check, fmt.Sprintf("run as the user %d, to whom it belongs, or give it to this one", owner(info)), "%s: this user (%d) may not work in it: %v", path, os.Geteuid(), err)
		return false
	}
	x.ok(check, "%s", path)
	return true
}

func (x *examiner) initCommand() string {
	return fmt.Sprintf("embedseal init --data-dir %s --store %s", shellWord(x.dir.String()), x.cfg.Store)
}

func owner(info fs.FileInfo) uint32 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Uid
	}
	return 0
}

// permissions looks at who may look into what, and to whom it belongs.
func (x *examiner) permissions() {
	before := len(x.findings)
	x.closed("data directory", x.dir.String())
	whose, err := os.Stat(x.dir.String())
	if err != nil {
		return
	}
	for _, name := range []string{datadir.MasterKey, datadir.APIToken, datadir.Pending, datadir.BoltStore, datadir.FileStore, datadir.AuditLog} {
		path := x.dir.Path(name)
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			x.closed("file", path)
		}
		if owner(info) != owner(whose) {
			x.fault("permissions", fmt.Sprintf("chown -R %d %s", owner(whose), shellWord(x.dir.String())),
				"%s belongs to the user %d, and the data directory to %d: one of them cannot serve", path, owner(info), owner(whose))
		}
	}
	if len(x.findings) == before {
		x.ok("permissions", "only the user %d may look into the data directory and its files", owner(whose))
	}
	if x.dir.Has(datadir.Pending) {
		x.advise("init", x.initCommand(), "an init was interrupted, and its token was not shown yet")
	}
}

// store looks at the store, its master key and its lock.
func (x *examiner) store(ctx context.Context) {
	const check = "store"
	name := storeName(x.cfg.Store)
	if !x.dir.Has(name) {
		x.fault(check, x.initCommand(), "there is no %s store in %s%s", x.cfg.Store, x.dir, x.otherStore())
		return
	}
	master, err := masterKey(x.cfg, x.dir)
	if err == nil {
		_, err = bbolt.ParseMasterKey(master.Reveal()) // the same for both stores
	}
	if err != nil {
		x.fault("master key", "bring it back, or name its file with master_key_file; without it nobody can read the store", "%s", plain(err))
	}
	groups, err := x.verify(ctx, master, err)
	x.lock(err)
	switch {
	case err == nil:
		x.ok("master key", "the store was made under it")
		x.ok(check, "%s store, every record verified; groups: %d", x.cfg.Store, groups)
	case errors.Is(err, ports.ErrHeld):
		x.heldStore(check, master)
	case errors.Is(err, errNoMasterKey):
		x.fault(check, "the master key first", "not looked into, for want of the master key")
	case errors.Is(err, ports.ErrWrongMasterKey):
		x.fault("master key", "bring back the master key that init made with this store; the store is whole and reads with no other", "%v", err)
	case errors.Is(err, file.ErrInterrupted):
		x.advise(check, "none is needed", "a commit was interrupted by a kill; the next start finishes it, and until then it is not looked into")
	case errors.Is(err, ports.ErrCorrupt):
		x.fault(check, "stop the server and bring back a backup of the whole data directory; what is damaged is never used", "%v", err)
	default:
		x.fault(check, "let the user of the server read and write it", "%v", err)
	}
}

// errNoMasterKey says that there is nothing to open the store with.
var errNoMasterKey = errors.New("no master key")

// otherStore says that a store of the other kind is there.
func (x *examiner) otherStore() string {
	for _, kind := range []string{storeBbolt, storeFile} {
		if kind != x.cfg.Store && x.dir.Has(storeName(kind)) {
			return "; there is one of the kind " + kind + " (--store " + kind + ")"
		}
	}
	return ""
}

// verify reads the whole store, if there is a key for it.
func (x *examiner) verify(ctx context.Context, master secret.Text, missing error) (groups int, err error) {
	if missing != nil {
		return 0, errNoMasterKey
	}
	if x.cfg.Store == storeFile {
		cfg, err := fileConfig(x.dir, master)
		if err != nil {
			return 0, err
		}
		return file.Verify(ctx, cfg, func(s *file.Store) error { return x.auditState(ctx, file.NewAuditStore(s)) })
	}
	cfg, err := bboltConfig(x.dir, master)
	if err != nil {
		return 0, err
	}
	return bbolt.Verify(ctx, cfg, func(s *bbolt.Store) error { return x.auditState(ctx, bbolt.NewAuditStore(s)) })
}

// auditState remembers what the store keeps of the audit log.
func (x *examiner) auditState(ctx context.Context, s ports.AuditStore) error {
	state, err := s.AuditState(ctx, auditName(x.cfg))
	x.kept = state
	return err
}

// lock says who has the store open.
func (x *examiner) lock(err error) {
	const check = "lock"
	x.held = errors.Is(err, ports.ErrHeld)
	if !x.held {
		if !errors.Is(err, errNoMasterKey) {
			x.ok(check, "no process has the store open")
		}
		return
	}
	path := x.dir.Path(datadir.BoltStore)
	if x.cfg.Store == storeFile {
		path = x.dir.Path(datadir.FileStore + "/lock")
	}
	h, known := host.HolderOf(path)
	if pid := file.LastHolder(x.dir.Path(datadir.FileStore)); !known && x.cfg.Store == storeFile && pid > 0 {
		h, known = host.Process(pid), true
	}
	switch {
	case !known:
		x.ok(check, "held by another process, of which nothing more can be told from here")
	case h.Name == "":
		x.ok(check, "held by the process %d", h.PID)
	default:
		x.ok(check, "held by the process %d (%s)", h.PID, h.Name)
	}
}

// heldStore is what can be said of a store that a running server has.
func (x *examiner) heldStore(check string, master secret.Text) {
	x.ok(check, "%s store, held by that process, which verified it when it began; its records are looked at when nobody holds it", x.cfg.Store)
	if x.cfg.Store != storeFile {
		x.ok("master key", "there; whether the store was made under it is looked at when nobody holds it")
		return
	}
	cfg, err := fileConfig(x.dir, master)
	if err == nil {
		err = file.CheckKey(cfg)
	}
	if err != nil {
		x.fault("master key", "bring back the master key that init made with this store: the server that runs has it in memory, and would not start again", "%v", err)
		return
	}
	x.ok("master key", "the store was made under it")
}
