package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// statusView is what runs, as the API shows it.
type statusView struct {
	Version   string     `json:"version"`
	StartedAt time.Time  `json:"started_at"`
	Store     string     `json:"store"`
	Custody   string     `json:"custody"`
	Listeners []listener `json:"listeners"`
	Audit     auditState `json:"audit"`
	Groups    int        `json:"groups"`
}

type listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type auditState struct {
	Log string `json:"log"`
	Seq int64  `json:"seq"`
	OK  bool   `json:"ok"`
}

func (p *program) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Say which server runs, where it listens, and how its audit log is",
		Example: "  embedseal status --data-dir /var/lib/embedseal",
	}
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		got, err := a.do(ctx, adminCall{method: http.MethodGet, path: "/status"})
		if err != nil {
			return err
		}
		return show(p, got.body, func(v statusView) error { return p.list(v.pairs(a, time.Now())...) })
	})
}

// pairs are the lines for people, which say who was asked.
func (v statusView) pairs(a admin, now time.Time) []string {
	pairs := []string{"Asked", a.where}
	if a.socket != "" {
		pairs = append(pairs, "Data directory", a.dataDir)
	}
	written := "records can be written"
	if !v.Audit.OK {
		written = "records CANNOT be written, and everything is refused"
	}
	pairs = append(pairs, "Version", v.Version, "Running since", moment(&v.StartedAt, now), "Store", v.Store, "New keys in", v.Custody)
	for _, l := range v.Listeners {
		pairs = append(pairs, "Listener "+shown(l.Name), l.Address)
	}
	return append(pairs, "Groups", strconv.Itoa(v.Groups),
		"Audit log", v.Audit.Log+", record "+strconv.FormatInt(v.Audit.Seq, 10)+"; "+written)
}
