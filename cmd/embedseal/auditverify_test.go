package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
)

// keeper keeps the state of one audit log.
type keeper struct{ state audit.State }

func (k *keeper) AuditState(context.Context, string) (audit.State, error) { return k.state, nil }

func (k *keeper) UpdateAuditState(_ context.Context, _ string, change func(audit.State) (audit.State, error)) (err error) {
	k.state, err = change(k.state)
	return err
}

// archive writes a log of n mints, some files of it, and returns them in their
// order with the key.
func archive(t *testing.T, n int) (files []string, key string) {
	t.Helper()
	dir, k := t.TempDir(), &keeper{}
	log, end, err := auditlog.Open(t.Context(), auditlog.Config{Path: filepath.Join(dir, "audit.log"), Name: "local", Store: k, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		err := log.Record(t.Context(), audit.Event{Time: time.Unix(1_700_000_000, 0), Action: audit.ActionMint, Outcome: audit.Granted, Customer: fmt.Sprint("customer ", i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	end()
	files, err = filepath.Glob(filepath.Join(dir, "audit.log*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	return append(files[1:], files[0]), hex.EncodeToString([]byte(k.state.Key.Reveal()))
}

func TestArchivedFilesAreVerifiedWithoutAServer(t *testing.T) {
	t.Parallel()
	files, key := archive(t, 20)
	hexKey := write(t, filepath.Join(t.TempDir(), "key"), key+"\n")
	answerKey := write(t, filepath.Join(t.TempDir(), "answer"), `{"log":"local","key":"`+key+`"}`+"\n")
	shuffled := slices.Clone(files)
	slices.Reverse(shuffled)
	asFlags := []string{"audit", "verify", "--key-file", hexKey}
	for _, file := range files {
		asFlags = append(asFlags, "--file", file)
	}
	for _, args := range [][]string{
		asFlags, append([]string{"audit", "verify", "--key-file", answerKey, "--file"}, files...), append([]string{"audit", "verify", "--key-file", hexKey, "--file"}, shuffled...),
	} {
		if o := run(t, args...).want(t, exitOK); !strings.HasPrefix(o.stdout, "The audit log is what was written: 2") || o.stderr != "" {
			t.Errorf("%+v", o)
		}
	}
	world{stdin: key}.run(t, append([]string{"audit", "verify", "--key-file", "-", "--file"}, files...)...).want(t, exitOK)

	last := files[len(files)-2]
	whole := contents(t, last)
	lines := strings.SplitAfter(whole, "\n")
	for kind, text := range map[string]string{
		"edited":  strings.Replace(whole, "customer ", "customer  ", 1),
		"removed": strings.Join(lines[1:], ""),
	} {
		write(t, last, text)
		o := run(t, asFlags...).want(t, exitFailure)
		if !strings.Contains(o.stdout, filepath.Base(last)+":1 (record ") || !strings.Contains(o.stdout, ": "+kind+": ") || !strings.Contains(o.stdout, "NOT what was written") || o.stderr != "" {
			t.Errorf("%s: %+v", kind, o)
		}
		v := decode[verified](t, run(t, append(asFlags, "--output", "json")...).want(t, exitFailure))
		if v.OK || len(v.Findings) == 0 || v.Findings[0].Kind != kind || v.Findings[0].File != filepath.Base(last) {
			t.Errorf("%s as JSON: %+v", kind, v)
		}
	}
	write(t, last, whole)
	if v := decode[verified](t, run(t, append(asFlags, "--output", "json")...).want(t, exitOK)); !v.OK || v.Records < 20 || v.Findings == nil {
		t.Errorf("as JSON: %+v", v)
	}

	const foreign = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	run(t, "audit", "verify", "--key-file", write(t, hexKey, foreign), "--file", files[0]).want(t, exitFailure)
	for _, wrong := range []string{"", "nonsense", foreign[2:], foreign + "00", "{}", `{"key":`, `{"key":"x"}`} {
		o := run(t, "audit", "verify", "--key-file", write(t, hexKey, wrong), "--file", files[0]).want(t, exitFailure, "is not the key of an audit log")
		if wrong != "" && strings.Contains(o.stderr, wrong) {
			t.Errorf("%s is shown", wrong)
		}
	}
	run(t, "audit", "verify", "--key-file", answerKey, "--file", files[0]+"x").want(t, exitFailure, files[0]+"x").oneLine(t)
	run(t, "audit", "verify", "--key-file", answerKey).want(t, exitUsage, "--file and --key-file go together")
	run(t, "audit", "verify", "--file", files[0]).want(t, exitUsage, "--file and --key-file go together")
	run(t, "audit", "verify", files[0]).want(t, exitUsage, "--file and --key-file go together")
}
