package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"embedseal/adapters/httpload"
)

// small is how much the product takes: its file, its start, its memory.
func (b *bench) small(ctx context.Context) error {
	about, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	size := float64(about.Size()) / 1e6
	b.keep("small", map[string]any{"binary_mb": size})
	b.table.add("size of the binary", "< 25 MB", fmt.Sprintf("%.1f MB", size), size < 25)

	p, err := b.embedseal(ctx, nil, nil)
	if err != nil {
		return err
	}
	dir := p.dir
	p.dir = ""
	p.stop()
	defer os.RemoveAll(dir)
	starts, err := b.starts(ctx, dir)
	if err != nil {
		return err
	}
	b.table.add("start to first token, on an existing store", "< 100 ms", starts.format("%.0f")+" ms", starts.median() < 100)

	if p, err = b.serve(ctx, dir, nil, nil); err != nil {
		return err
	}
	defer p.stop()
	var resident [2]float64
	for i := range resident {
		t, r, err := b.ask(ctx, p, httpload.Config{Connections: connections, Requests: b.mints / 2})
		if err != nil {
			return err
		}
		if r.Refused+r.Failed > 0 {
			return fmt.Errorf("%d refused, %d failed %s", r.Refused, r.Failed, t.Error)
		}
		resident[i] = p.resident()
		b.keep("small", map[string]any{"mints": b.mints / 2 * int64(i+1), "resident_mb": resident[i], "turn": t})
	}
	b.table.add(fmt.Sprintf("resident memory after %d mints", b.mints), "< 40 MB", fmt.Sprintf("%.1f MB", resident[1]), resident[1] < 40)
	grown := (resident[1] - resident[0]) / resident[0]
	b.table.add("its growth in the second half", "flat (< 5 %)", fmt.Sprintf("%+.1f %%", 100*grown), grown < 0.05)
	return nil
}

// starts measures from the start of the process to a token in hand, in
// milliseconds.
func (b *bench) starts(ctx context.Context, dir string) (series, error) {
	var all series
	for range max(b.rounds, 5) {
		begin := time.Now()
		p, err := b.serve(ctx, dir, nil, nil)
		if err != nil {
			return nil, err
		}
		_, r, err := b.ask(ctx, p, httpload.Config{Connections: 1, Requests: 1})
		took := time.Since(begin)
		p.stop()
		if err != nil {
			return nil, err
		}
		if r.Accepted != 1 {
			return nil, fmt.Errorf("no token: %v", r.Failure)
		}
		all = append(all, float64(took.Microseconds())/1e3)
	}
	b.keep("small", map[string]any{"start_ms": all, "store": filepath.Base(dir)})
	return all, nil
}
