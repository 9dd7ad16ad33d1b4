package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"embedseal/adapters/auditlog"
	"embedseal/adapters/datadir"
	"embedseal/adapters/host"
	"embedseal/adapters/vault"
	"embedseal/configs"
	"embedseal/domain/audit"
	"embedseal/ports"
)

// examiner looks at what lies outside of a server, one thing after another.
type examiner struct {
	cfg      configs.Config
	dir      datadir.Dir
	now      time.Time
	findings []finding
	// absent says that there is no data directory that could be looked into.
	absent bool
	// held says that a process has the store open.
	held bool
	// kept is what the store keeps of the audit log; zero when it was not read.
	kept audit.State
	// asked says that a server answered on its socket.
	asked bool
}

func (x *examiner) ok(check, format string, args ...any) {
	x.findings = append(x.findings, finding{Use: vault.UseAny, Check: check, OK: true, Detail: fmt.Sprintf(format, args...)})
}

func (x *examiner) fault(check, remedy, format string, args ...any) {
	x.findings = append(x.findings, finding{Use: vault.UseAny, Check: check, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (x *examiner) advise(check, remedy, format string, args ...any) {
	x.findings = append(x.findings, finding{Use: useAdvice, Check: check, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

// surroundings are what a server needs whatever its store is.
func (x *examiner) surroundings(ctx context.Context) {
	x.time()
	x.auditLog(ctx)
	x.server(ctx)
}

// The space below which a file system is a fault, and below which it is advice.
const (
	leastFree      = 64 << 20
	leastFiles     = 1024
	shortFreeShare = 10 // percent
	// shortFreeMost is never short, however large the file system is.
	shortFreeMost = 10 << 30
)

// space looks at the file system of path.
func (x *examiner) space(check, path string) {
	s, err := host.SpaceAt(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			x.advise(check, "", "%v", err)
		}
		return
	}
	share := func(free, total uint64) uint64 { return free * 100 / max(total, 1) }
	counted := s.TotalFiles > 0
	text := fmt.Sprintf("%s free of %s (%d %%)", size(s.Free), size(s.Total), share(s.Free, s.Total))
	if counted {
		text += fmt.Sprintf(", %d of %d inodes", s.FreeFiles, s.TotalFiles)
	}
	const more = "free some space, or move to a larger file system; without room nothing is recorded, so nothing is minted"
	switch {
	case s.ReadOnly:
		x.fault(check, "mount -o remount,rw the file system of "+path, "the file system is read-only")
	case s.Free < leastFree, counted && s.FreeFiles < leastFiles:
		x.fault(check, more, "%s", text)
	case share(s.Free, s.Total) < shortFreeShare && s.Free < shortFreeMost, counted && share(s.FreeFiles, s.TotalFiles) < shortFreeShare && s.FreeFiles < 100*leastFiles:
		x.advise(check, more, "%s", text)
	default:
		x.ok(check, "%s", text)
	}
}

// size is a number of bytes for people.
func size(bytes uint64) string {
	units, value := []string{"B", "KiB", "MiB", "GiB", "TiB"}, float64(bytes)
	for ; value >= 1024 && len(units) > 1; units = units[1:] {
		value /= 1024
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// time holds the clock against what this service wrote with it before.
func (x *examiner) time() {
	const check = "clock"
	const remedy = "set the clock, and let it be kept (timedatectl set-ntp true, or chrony); a token's lifetime begins and ends by it"
	const behind = 5 * time.Minute
	newest, what := x.newest()
	shown := x.now.UTC().Format(time.RFC3339)
	synchronised, known := host.ClockSynchronised()
	switch {
	case x.now.Year() < 2025 || x.now.Year() > 2100:
		x.fault(check, remedy, "it says %s", shown)
	case newest.Sub(x.now) > behind:
		x.fault(check, remedy, "it says %s, and %s is of %s: it stands %s behind, or stood ahead then",
			shown, what, newest.UTC().Format(time.RFC3339), newest.Sub(x.now).Round(time.Second))
	case known && !synchronised:
		x.advise(check, remedy, "it says %s, and the kernel knows of nothing that keeps it", shown)
	case !known:
		x.ok(check, "it says %s; whether it is kept cannot be told here", shown)
	default:
		x.ok(check, "it says %s, and is kept", shown)
	}
}

// newest is the latest time that this service wrote down, and where.
func (x *examiner) newest() (at time.Time, what string) {
	path := auditPath(x.cfg, x.dir)
	if t, found := lastRecord(path); found {
		at, what = t, "the last record of the audit log"
	}
	if !inDataDir(x.cfg.Store) {
		return at, what
	}
	for _, name := range []string{datadir.MasterKey, storeName(x.cfg.Store), datadir.AuditLog} {
		if info, err := os.Stat(x.dir.Path(name)); err == nil && info.ModTime().After(at) {
			at, what = info.ModTime(), "the last change of "+x.dir.Path(name)
		}
	}
	return at, what
}

// lastRecord is the time of the last whole line of an audit log.
func lastRecord(path string) (time.Time, bool) {
	const tail = 64 << 10
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return time.Time{}, false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return time.Time{}, false
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tail), tail))
	if err != nil {
		return time.Time{}, false
	}
	end := bytes.LastIndexByte(data, '\n')
	if end < 0 {
		return time.Time{}, false
	}
	line := data[bytes.LastIndexByte(data[:end], '\n')+1 : end]
	var record struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(line, &record) != nil || record.Time.IsZero() {
		return time.Time{}, false
	}
	return record.Time, true
}

// auditLog looks at whether records can be written.
func (x *examiner) auditLog(ctx context.Context) {
	const check = "audit log"
	path := auditPath(x.cfg, x.dir)
	if x.cfg.Store == storeVault && x.cfg.Audit.Path == "" {
		x.fault(check, "set audit.path to a file, or to - for standard error", "audit.path %s", noAuditPath)
		return
	}
	if path == auditlog.StandardError {
		x.ok(check, "goes to standard error")
		return
	}
	if x.absent && filepath.Dir(path) == x.dir.String() {
		return // that was said
	}
	if err := auditlog.NewProbe(auditlog.Config{Path: path}).Check(ctx); err != nil {
		x.fault(check, "let this user write "+path+" and make files beside it, and let there be room; without a record nothing is minted", "%s", plain(err))
		return
	}
	if filepath.Dir(path) != x.dir.String() || !inDataDir(x.cfg.Store) {
		x.space("disk of the audit log", filepath.Dir(path))
		x.closed("audit log", path)
	}
	x.auditChain(ctx, path)
	if t, found := lastRecord(path); found {
		x.ok(check, "%s can be written; its last record is of %s", path, t.UTC().Format(time.RFC3339))
		return
	}
	x.ok(check, "%s can be written", path)
}

// auditChain verifies the log and its older files against what the store keeps of
// it, which is known when no server has the store.
func (x *examiner) auditChain(ctx context.Context, path string) {
	const check = "audit chain"
	if x.kept.Key.IsZero() {
		return
	}
	older, err := filepath.Glob(strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path) + ".[0-9]*")
	if err != nil {
		x.advise(check, "", "%v", err)
		return
	}
	files := older
	if _, err := os.Lstat(path); err == nil {
		files = append(files, path)
	}
	if len(files) == 0 {
		if x.kept.Head.Seq > 0 {
			x.fault(check, "bring the file back, or say where it is with audit.path", "the store knows of %d records, and %s is not there", x.kept.Head.Seq, path)
		}
		return
	}
	report, err := auditlog.Verify(ctx, auditlog.Check{Files: files,
		Key: audit.ChainKey{Log: auditName(x.cfg), Key: x.kept.Key}, Head: x.kept.Head})
	const remedy = "embedseal audit verify lists every finding; docs/operations/incident.md says what to do"
	switch {
	case err != nil:
		x.fault(check, remedy, "%s", plain(err))
	case !report.OK():
		f := report.Findings[0]
		for _, each := range report.Findings {
			if each.Kind.Fault() {
				f = each
				break
			}
		}
		x.fault(check, remedy, "%s, line %d: %s: %s; findings: %d", f.File, f.Line, f.Kind, f.Detail, len(report.Findings)+report.More)
	default:
		x.ok(check, "whole: records %d to %d, and the store's last known one among them", report.First, report.Last)
	}
}

// plain is the text of an error without the sentinels that programs go by.
func plain(err error) string {
	text := err.Error()
	for _, sentinel := range []error{ports.ErrUnavailable, ports.ErrNotFound} {
		text = strings.TrimPrefix(text, sentinel.Error()+": ")
	}
	return text
}

// closed reports a file or directory that other users may look into.
func (x *examiner) closed(what, path string) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		x.fault("permissions", "chmod go= "+shellWord(path), "other users may look into the %s %s (mode %04o)", what, path, info.Mode().Perm())
	}
}

// shellWord writes a path so that a shell takes it as one word.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%", r))
	}
	if path != "" && !strings.ContainsFunc(path, plain) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
