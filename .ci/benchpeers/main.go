// Command benchpeers measures embedseal beside what anyone would use instead, all
// in one run on one machine, and prints a table of what is wanted and what was
// seen. "make bench-peers" runs it.
//
//	go run ./.ci/benchpeers [-parts mint,small,overload] [-rounds 5] [-seconds 4]
//
// Every server is a process of its own, and all are asked by the one generator of
// adapters/httpload. A peer that cannot be had is said to be missing; it never
// becomes a zero.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// connections is how many requests are under way at once, at most.
const connections = 32

type options struct {
	rounds           int
	seconds          float64
	offered          float64
	overloadSeconds  float64
	mints            int64
	parts, raw, dir  string
	binary, vaultBin string
}

func main() {
	var o options
	serve := flag.String("serve", "", "be a peer of this name (floor or empty), on the port that follows")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; in each, every side has its turn")
	flag.Float64Var(&o.seconds, "seconds", 4, "seconds of a turn")
	flag.Float64Var(&o.offered, "offered", 0, "requests/s of the open loop; 0 is 40 and then 60 % of what the slower of floor and embedseal can do")
	flag.Float64Var(&o.overloadSeconds, "overload-seconds", 60, "seconds of overload")
	flag.Int64Var(&o.mints, "mints", 1_000_000, "mints after which the memory is looked at")
	flag.StringVar(&o.parts, "parts", "mint,small,overload", "what is measured")
	flag.StringVar(&o.raw, "raw", ".ci/log/bench-peers.jsonl", "file for the raw results, one JSON object a line")
	flag.StringVar(&o.binary, "binary", "bin/embedseal", "the server")
	flag.StringVar(&o.vaultBin, "vault", os.Getenv("VAULT_BIN"), "a Vault server; bin/vault without one")
	flag.Parse()
	if *serve != "" {
		if err := servePeer(*serve, flag.Arg(0)); err != nil {
			fail(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "benchpeers:", err)
	os.Exit(1)
}

// bench is one run of this program.
type bench struct {
	options
	raw   *json.Encoder
	table table
}

func run(ctx context.Context, o options) error {
	var err error
	if o.dir, err = os.MkdirTemp("", "benchpeers-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	if err := os.MkdirAll(filepath.Dir(o.raw), 0o755); err != nil {
		return err
	}
	raw, err := os.Create(o.raw)
	if err != nil {
		return err
	}
	defer raw.Close()
	b := &bench{options: o, raw: json.NewEncoder(raw)}
	machine := aboutMachine(o)
	b.keep("machine", machine)
	fmt.Println(machine)
	fmt.Printf("generator: 1 process, GOMAXPROCS %d, on the same cores as the servers\n\n", runtime.GOMAXPROCS(0))
	parts := map[string]func(context.Context) error{"mint": b.mint, "small": b.small, "overload": b.overload}
	for _, part := range strings.Split(o.parts, ",") {
		do, known := parts[part]
		if !known {
			return fmt.Errorf("there is no part %q", part)
		}
		if err := do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	fmt.Printf("\n%s\nload average at the end: %s; raw results: %s\n", b.table.String(), loadAverage(), o.raw)
	return raw.Close()
}

// keep writes one raw result.
func (b *bench) keep(what string, of any) {
	_ = b.raw.Encode(map[string]any{"at": time.Now().UTC().Format(time.RFC3339Nano), "what": what, "result": of})
}

func (b *bench) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
