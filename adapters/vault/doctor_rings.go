package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// namedRing is a ring with where it was read.
type namedRing struct {
	group group.ID
	ring  key.Ring
	record
}

// allRings reads every ring, and says of those that cannot be used why.
func (b *Backend) allRings(ctx context.Context) (rings []namedRing, damaged []string, err error) {
	resp, err := b.call(ctx, methodList, b.path("metadata", folderRings, ""), nil)
	if err != nil || resp.Secret == nil {
		return nil, nil, err
	}
	names, _ := resp.Data["keys"].([]any)
	for _, n := range names {
		name, _ := n.(string)
		id, err := group.ParseID(name)
		if err != nil {
			continue // of somebody else
		}
		ring, r, err := b.readRing(ctx, id)
		switch {
		case errors.Is(err, ports.ErrCorrupt):
			damaged = append(damaged, fmt.Sprintf("the ring of %s: %s", id, err))
		case err != nil:
			return nil, nil, fmt.Errorf("the ring of %s: %w", id, err)
		default:
			rings = append(rings, namedRing{id, ring, r})
		}
	}
	return rings, damaged, nil
}

// findRecords tells of groups and rings that cannot be used, or will not be much
// longer.
func (b *Backend) findRecords(ctx context.Context, rings []namedRing, damaged []string) Finding {
	var ending []string
	for _, r := range rings {
		if r.expires != "" {
			ending = append(ending, fmt.Sprintf("the ring of %s at %s", r.group, r.expires))
		}
	}
	ids, err := NewGroupStore(b).Groups(ctx)
	if err != nil {
		return Finding{Use: UseAny, Check: "groups", Detail: err.Error()}
	}
	for _, id := range ids {
		r, err := b.read(ctx, folderGroups, id)
		if err == nil {
			_, err = decodeGroup(id, r)
		}
		switch {
		case errors.Is(err, ports.ErrCorrupt):
			damaged = append(damaged, fmt.Sprintf("the group %s: %s", id, err))
		case err == nil && r.expires != "":
			ending = append(ending, fmt.Sprintf("the group %s at %s", id, r.expires))
		}
	}
	f := Finding{Use: UseAny, Check: "groups and rings", OK: len(damaged) == 0, Detail: fmt.Sprintf("%d groups, %d rings, each as it was written", len(ids), len(rings))}
	switch {
	case len(damaged) > 0:
		f.Detail = strings.Join(damaged, "; ")
		f.Remedy = "bring back an earlier version (vault kv undelete, vault kv rollback) or a backup; nothing here overwrites it"
	case len(ending) > 0:
		f.OK, f.Detail = false, "Vault will delete by itself: "+strings.Join(ending, "; ")
		f.Remedy = "set delete_version_after to 0s on the mount and on the secrets: vault kv metadata put -delete-version-after=0s …"
	case len(ids) == 0:
		f.Detail = "none: embedseal init makes the first group"
	}
	return f
}

// findPurges looks for earlier versions of rings that hold what was destroyed.
func (b *Backend) findPurges(ctx context.Context, rings []namedRing) Finding {
	f := Finding{Use: UseAdminister, Check: "destroyed keys", OK: true, Detail: "no earlier version of a ring holds material that was destroyed"}
	var pending, commands []string
	for _, r := range rings {
		if !r.Purge {
			continue
		}
		left, err := b.versions(ctx, folderRings, r.group, r.version)
		if err != nil {
			f.OK, f.Detail, f.Remedy = false, "the versions of the ring of "+string(r.group)+" cannot be looked at: "+err.Error(), b.metadataRule().line()
			return f
		}
		if len(left) == 0 {
			continue
		}
		pending = append(pending, string(r.group))
		commands = append(commands, fmt.Sprintf("vault kv destroy -mount=%s -versions=%s %s/%s/%s",
			b.cfg.Mount, strings.ReplaceAll(strings.Trim(fmt.Sprint(left), "[]"), " ", ","), b.cfg.Prefix, folderRings, r.group))
	}
	if len(pending) > 0 {
		f.OK = false
		f.Detail = "earlier versions hold material of destroyed keys, until the next change of the ring of " + strings.Join(pending, ", ")
		f.Remedy = strings.Join(commands, "\n")
	}
	return f
}

// transitList is the Transit keys there were at some time.
type transitList struct {
	names map[string]bool
	at    time.Time
}

// transitNames lists the Transit keys that can have been made here.
func (b *Backend) transitNames(ctx context.Context) (transitList, error) {
	there := transitList{names: map[string]bool{}, at: time.Now()}
	resp, err := b.call(ctx, methodList, b.cfg.TransitMount+"/keys", nil)
	if err != nil {
		return there, err
	}
	if resp.Secret != nil {
		names, _ := resp.Data["keys"].([]any)
		for _, n := range names {
			if name, _ := n.(string); b.isOurs(name) {
				there.names[name] = true
			}
		}
	}
	return there, nil
}

// findTransitKeys compares the keys of the rings with those in Transit.
func (b *Backend) findTransitKeys(ctx context.Context, rings []namedRing, damaged []string, there transitList, listErr error) Finding {
	f := Finding{Use: UseTransitAdminister, Check: "Transit keys", OK: true}
	if len(damaged) > 0 {
		// The keys of a ring that cannot be read would look like those of none.
		f.Detail = "not compared with the rings, as some of them cannot be read"
		return f
	}
	if errors.Is(listErr, ports.ErrDenied) {
		f.Detail = "not compared with the rings: the token may not list them, which it need not"
		f.Remedy = rule{b.cfg.TransitMount + "/keys", []string{"list"}, nil}.line()
		return f
	}
	if listErr != nil {
		f.OK, f.Detail = false, listErr.Error()
		return f
	}
	wanted := map[string]bool{}
	var missing []string
	for _, r := range rings {
		for _, k := range r.ring.Keys() {
			name, _, err := b.keyName(r.group, k)
			if err != nil {
				continue
			}
			wanted[name] = true
			if there.names[name] {
				continue
			}
			// Of a prefix that was configured before, or made since the list was.
			if found, err := b.transitKey(ctx, name); err == nil && !found.there {
				missing = append(missing, name)
			}
		}
	}
	var orphans, commands []string
	for name := range there.names {
		if wanted[name] {
			continue
		}
		// Made before the ring is written, which may have been after it was read.
		k, err := b.transitKey(ctx, name)
		if err == nil && k.there && !k.made.IsZero() && there.at.Sub(k.made) >= b.cfg.OrphanAfter {
			orphans = append(orphans, name)
		}
	}
	slices.Sort(orphans)
	slices.Sort(missing)
	for _, name := range orphans {
		path := b.cfg.TransitMount + "/keys/" + name
		commands = append(commands, "vault write "+path+"/config deletion_allowed=true && vault delete "+path)
	}
	f.Detail = fmt.Sprintf("%d keys, each in one ring", len(wanted))
	if len(orphans)+len(missing) > 0 {
		f.OK = false
		f.Detail = fmt.Sprintf("in no ring: %s; in a ring and not in Transit: %s", listed(orphans), listed(missing))
		if len(commands) > 0 {
			f.Remedy = "only if no other store has the prefix " + b.cfg.Prefix + " and this Transit engine:\n" + strings.Join(commands, "\n")
		}
	}
	return f
}

// isOurs reports whether a Transit key of that name can be one that was made
// here.
func (b *Backend) isOurs(name string) bool {
	rest, found := strings.CutPrefix(name, b.cfg.Prefix+".")
	g, id, dotted := strings.Cut(rest, ".")
	if !found || !dotted {
		return false
	}
	got, err := nameInTransit(b.cfg.Prefix, group.ID(g), key.ID(id))
	return err == nil && got == name
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
