package vault

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"embedseal/domain/group"
	"embedseal/ports"
)

// The folders of the prefix.
const (
	folderGroups = "groups"
	folderRings  = "rings"
	folderAudit  = "audit"
	// Ledgers of revocations, and their pages.
	folderRevocations = "revocations"
	folderRevoked     = "revoked"
)

const (
	// format is the "v" of every secret.
	format = 1
	// maxTrail is how many writes back a secret remembers.
	maxTrail = 16
	// maxRaces is how often an update begins again after a lost race.
	maxRaces = 8
)

// record is one secret as it was read.
type record struct {
	// version is the one to hand in as check-and-set parameter; 0 when there
	// never was one.
	version int64
	// found is false when there is none.
	found bool
	// expires is when Vault will delete the version by itself; empty if never.
	expires string
	envelope
}

// envelope is the data of a secret.
type envelope struct {
	V       int64  `json:"v"`
	WriteID string `json:"write_id"`
	// Trail has the write ids of the versions before, the latest first.
	Trail []string `json:"trail,omitempty"`
	// Purge says that versions before this one hold what must not be kept, unless
	// they have been destroyed since.
	Purge    bool   `json:"purge,omitempty"`
	Document string `json:"document"`
}

// errLostRace: another writer was faster, and nothing was written.
var errLostRace = errors.New("vault: write: the version is not the one that was read")

func (b *Backend) path(kind, folder string, id group.ID) string {
	p := b.cfg.Mount + "/" + kind + "/" + b.cfg.Prefix + "/" + folder
	if id != "" {
		p += "/" + string(id)
	}
	return p
}

// budget is the time for one call of a store that writes. It does not end when
// ctx does: whoever stops waiting must not leave a write half settled.
func (b *Backend) budget(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), b.cfg.CallTimeout)
}

// read returns the secret, or none.
func (b *Backend) read(ctx context.Context, folder string, id group.ID) (record, error) {
	resp, err := b.call(ctx, http.MethodGet, b.path("data", folder, id), nil)
	if err != nil || resp.Secret == nil {
		return record{}, err
	}
	meta, isObject := resp.Data["metadata"].(map[string]any)
	version, err := integer(meta["version"])
	if !isObject || err != nil || version < 1 {
		return record{}, notVault()
	}
	r := record{version: version}
	deleted, _ := meta["deletion_time"].(string)
	if resp.Data["data"] == nil {
		// This service never leaves a version like that behind: it removes a secret
		// with its metadata. Taken for one that never was, a deleted ring would get
		// a new default key that nobody who opens tokens knows.
		if destroyed, _ := meta["destroyed"].(bool); destroyed || deleted != "" {
			return record{}, corrupt("its current version was deleted or destroyed in Vault: undelete it, or remove the secret with its metadata")
		}
		return record{}, corrupt("it has no data and was not deleted")
	}
	r.expires = deleted
	return r, r.open(resp.Data["data"])
}

// open takes the data of the secret apart.
func (r *record) open(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return corrupt("its data is not of this format")
	}
	if err := json.Unmarshal(text, &r.envelope); err != nil || r.V != format || r.WriteID == "" {
		return corrupt("its data is not of this format")
	}
	r.found = true
	return nil
}

func corrupt(why string) error { return fmt.Errorf("%w: %s", ports.ErrCorrupt, why) }

// put writes document over the version that was read, and is certain of what it
// says: nil when it is written, [errLostRace] when another write was first, an
// error that wraps ErrUnknownOutcome when the time is over before Vault has
// told, and otherwise an error of a call that changed nothing.
func (b *Backend) put(ctx context.Context, folder string, id group.ID, old record, document []byte, purge bool) (record, error) {
	next := record{version: old.version + 1, found: true, envelope: envelope{
		V: format, WriteID: rand.Text(), Purge: purge, Document: string(document),
	}}
	if old.WriteID != "" {
		next.Trail = slices.Concat([]string{old.WriteID}, old.Trail)
		next.Trail = next.Trail[:min(len(next.Trail), maxTrail)]
	}
	body := map[string]any{"options": map[string]any{"cas": old.version}, "data": next.envelope}
	for doubt := false; ; {
		err := b.send(ctx, b.path("data", folder, id), body, next.version)
		if err == nil {
			return next, nil
		}
		race := isLostRace(err)
		if !race && !doubt && untouched(err) {
			return record{}, readOnly(err)
		}
		// Something between us and Vault may have sent the write twice, so that
		// a mismatch is looked into even if this is the first that we know of.
		doubt = doubt || !race
		switch done, readErr := b.settle(ctx, folder, id, old, next, doubt); {
		case readErr != nil:
			return record{}, unknown(err, readErr)
		case done == applied:
			return next, nil
		case done == lost:
			return record{}, errLostRace
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// send makes one write of KV. Vault's answer names the version that it made.
func (b *Backend) send(ctx context.Context, path string, body any, version int64) error {
	resp, err := b.call(ctx, http.MethodPut, path, body)
	if err != nil {
		return err
	}
	if resp.Secret != nil {
		if made, err := integer(resp.Data["version"]); err == nil && made == version {
			return nil
		}
	}
	return notVault()
}

func isLostRace(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.lostRace
}

// The outcomes of a write.
type outcome int

const (
	// pending: not applied so far. The same write may be sent again: Vault takes
	// one of the two.
	pending outcome = iota
	applied
	lost
)

// settle reads back, for as long as there is time, whether next was written.
func (b *Backend) settle(ctx context.Context, folder string, id group.ID, old, next record, doubt bool) (outcome, error) {
	for {
		now, err := b.read(ctx, folder, id)
		switch {
		case err == nil:
			return judge(now, old, next, doubt)
		case errors.Is(err, ports.ErrCorrupt):
			return pending, err
		case ctx.Err() != nil:
			return pending, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// judge tells what became of next, which was to follow old, from what is there
// now. Every write hands the ids of those before it on.
func judge(now, old, next record, doubt bool) (outcome, error) {
	switch {
	case now.found && (now.WriteID == next.WriteID || slices.Contains(now.Trail, next.WriteID)):
		return applied, nil
	case now.version == old.version && now.WriteID == old.WriteID:
		if !doubt { // a mismatch, yet the version matches: a server that lags
			return lost, nil
		}
		return pending, nil
	case !doubt:
		return lost, nil
	case now.found && now.version > old.version && now.version-next.version <= int64(len(now.Trail)):
		return lost, nil
	}
	// Deleted since, or written more often than the trail is long.
	return pending, errNoTrace
}

var errNoTrace = errors.New("vault: read back: too much has been written since")

// unknown does not wrap why: of its causes an error names one only.
func unknown(write, read error) error {
	return fmt.Errorf("%w: %s; reading back: %s", ports.ErrUnknownOutcome, write.Error(), read.Error())
}

// erase removes the secret with all its versions, and is certain of it when it
// returns nil. old is what was there: a later one of that name is left alone.
// When something was begun that erase is to finish, it insists.
func (b *Backend) erase(ctx context.Context, folder string, id group.ID, old record, begun bool) error {
	for doubt := begun; ; doubt = true {
		resp, err := b.call(ctx, http.MethodDelete, b.path("metadata", folder, id), nil)
		switch {
		case err == nil && resp.status == http.StatusNoContent:
			return nil
		case err == nil:
			err = notVault()
		case untouched(err) && !doubt, begun && errors.Is(err, ports.ErrDenied):
			return err
		}
		gone, readErr := b.gone(ctx, folder, id, old)
		if gone {
			return nil
		}
		if readErr == nil {
			readErr = ctx.Err()
		}
		if readErr != nil {
			return unknown(err, readErr)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// gone reads back, for as long as there is time, whether the secret that was
// read as old is there no more. Another one of its name may be.
func (b *Backend) gone(ctx context.Context, folder string, id group.ID, old record) (bool, error) {
	for {
		now, err := b.read(ctx, folder, id)
		switch {
		case err == nil && (now.WriteID == old.WriteID || slices.Contains(now.Trail, old.WriteID)):
			return false, nil
		case err == nil && now.found && len(now.Trail) >= maxTrail && now.version > old.version:
			return false, errNoTrace // it may be the same, written often since
		case err == nil:
			return true, nil // there is none, or another that was made since
		case errors.Is(err, ports.ErrCorrupt):
			return false, nil
		case ctx.Err() != nil:
			return false, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}
