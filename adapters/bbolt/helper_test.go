package bbolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/internal/records"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
)

// holdEnv makes the test binary a process that holds the store it names, until
// its standard input ends.
const holdEnv = "EMBEDSEAL_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		os.Exit(hold(path))
	}
	os.Exit(m.Run())
}

func hold(path string) int {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = db.Close()
	return 0
}

// holdElsewhere has another process open the file, and returns how to end it.
func holdElsewhere(t *testing.T, path string) (letGo func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("held"))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "held" {
		t.Fatalf("the other process said %q: %v", line, err)
	}
	return func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the other process ended badly: %v", err)
		}
	}
}

func masterKey(first byte) bbolt.MasterKey {
	raw := [records.MasterKeySize]byte{first}
	return records.NewMasterKey(raw)
}

func newConfig(t *testing.T) bbolt.Config {
	t.Helper()
	return bbolt.Config{Path: filepath.Join(t.TempDir(), "store.db"), MasterKey: masterKey(7)}
}

// create makes a store and opens it.
func create(t *testing.T, c bbolt.Config) (*bbolt.Store, func()) {
	t.Helper()
	if created, err := bbolt.Create(t.Context(), c); err != nil || !created {
		t.Fatalf("created %t: %v", created, err)
	}
	return open(t, c)
}

func open(t *testing.T, c bbolt.Config) (*bbolt.Store, func()) {
	t.Helper()
	s, closeStore, err := bbolt.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeStore)
	return s, closeStore
}

// filled makes a store with n groups of one key each, closes it and returns its
// bytes and what it holds.
func filled(t *testing.T, c bbolt.Config, n int) (file []byte, content string) {
	t.Helper()
	s, closeStore := create(t, c)
	for i := range n {
		addGroup(t, s, group.ID(fmt.Sprintf("group-%02d", i)))
	}
	content, err := readAll(t, s)
	if err != nil {
		t.Fatal(err)
	}
	closeStore()
	if file, err = os.ReadFile(c.Path); err != nil {
		t.Fatal(err)
	}
	return file, content
}

func addGroup(t *testing.T, s *bbolt.Store, id group.ID) {
	t.Helper()
	created := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	g := group.Group{
		ID: id, Name: "The group " + string(id), Policy: policy.Default(), CreatedAt: created,
		Tokens: []apitoken.Token{{ID: "first", Name: "first", Scopes: apitoken.ReadWrite, CreatedAt: created}},
	}
	if err := bbolt.NewGroupStore(s).CreateGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if err := addKey(t, s, id, "first"); err != nil {
		t.Fatal(err)
	}
}

func addKey(t *testing.T, s *bbolt.Store, g group.ID, id key.ID) error {
	t.Helper()
	k := key.Key{
		ID: id, State: key.Active, Custody: key.Material,
		Secret:    key.NewSecret([key.SecretEntropy]byte{1, 2, 3}),
		CreatedAt: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	return bbolt.NewKeyStore(s).UpdateRing(t.Context(), g, func(r key.Ring) (key.Ring, error) { return r.With(k) })
}

// readAll is everything that the ports give, as one text.
func readAll(t *testing.T, s *bbolt.Store) (string, error) {
	t.Helper()
	ids, err := bbolt.NewGroupStore(s).Groups(t.Context())
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, id := range ids {
		g, err := bbolt.NewGroupStore(s).Group(t.Context(), id)
		if err != nil {
			return "", err
		}
		ring, err := bbolt.NewKeyStore(s).Ring(t.Context(), id)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&all, "%+v\n", g)
		for _, k := range ring.Keys() {
			fmt.Fprintf(&all, "%+v %s\n", k, k.Secret.Reveal())
		}
	}
	return all.String(), nil
}

// openAndRead opens the store, reads all of it, closes it, and checks that this
// changed no byte of the file.
func openAndRead(t *testing.T, c bbolt.Config, file []byte) (string, error) {
	t.Helper()
	content, err := func() (string, error) {
		s, closeStore, err := bbolt.Open(t.Context(), c)
		if err != nil {
			return "", err
		}
		defer closeStore()
		return readAll(t, s)
	}()
	if after, readErr := os.ReadFile(c.Path); readErr != nil || !bytes.Equal(file, after) {
		t.Fatalf("the file was changed by opening it, which answered %v; read again: %v", err, readErr)
	}
	return content, err
}

// edit changes the bucket with bbolt itself.
func edit(t *testing.T, path string, change func(*bolt.Bucket) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket([]byte(bbolt.BucketName))) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
