package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/group"
	"embedseal/ports"
)

// pageLike is what the secret of a page is called: its group and eight digits.
var pageLike = regexp.MustCompile(`^(.+)-[0-9a-f]{8}$`)

// findRevocations looks at the revocations of every group, and for pages of them that
// no group lists. Those are read by nobody: that they are there is advice.
func (b *Backend) findRevocations(ctx context.Context) []Finding {
	f := Finding{Use: UseMint, Check: "revocations", OK: true}
	// The pages first: whatever a server writes in the meantime is listed by then.
	began := time.Now()
	pages, err := b.names(ctx, folderRevoked)
	var ids []string
	if err == nil {
		ids, err = b.names(ctx, folderRevocations)
	}
	if err != nil {
		return []Finding{{
			Use: UseAdminister, Check: "revocations", Detail: "not looked at: " + err.Error(), Remedy: b.listRule().line(),
		}}
	}
	listed, entries := map[string]bool{}, 0
	var damaged, ending []string
	for _, name := range ids {
		id, err := group.ParseID(name)
		if err != nil {
			continue // of somebody else
		}
		l, r, err := b.readLedger(ctx, id)
		switch {
		case errors.Is(err, ports.ErrCorrupt):
			damaged = append(damaged, fmt.Sprintf("those of %s: %s", id, err))
			continue
		case err != nil:
			f.OK, f.Detail = false, fmt.Sprintf("those of %s: %s", id, err)
			return []Finding{f}
		case r.expires != "":
			ending = append(ending, fmt.Sprintf("those of %s at %s", id, r.expires))
		}
		entries += l.Len()
		for _, p := range l.Pages {
			name := string(pageName(id, p))
			listed[name] = true
			if _, there := slices.BinarySearch(pages, name); !there && b.isMissing(ctx, id, p) {
				damaged = append(damaged, fmt.Sprintf("those of %s: the page %s is missing", id, name))
			}
		}
	}
	switch {
	case len(damaged) > 0:
		f.OK, f.Detail = false, strings.Join(damaged, "; ")
		f.Remedy = "bring back an earlier version (vault kv undelete, vault kv rollback) or a backup; until then no token of that group is verified"
	case len(ending) > 0:
		f.OK, f.Detail = false, "Vault will delete by itself: "+strings.Join(ending, "; ")
		f.Remedy = "set delete_version_after to 0s on the mount and on the secrets: vault kv metadata put -delete-version-after=0s …"
	default:
		f.Detail = fmt.Sprintf("%d in %d groups, on %d pages beside their ledgers", entries, len(ids), len(listed))
	}
	return []Finding{f, b.findLeftPages(ctx, pages, listed, began, len(damaged) > 0)}
}

// isMissing reports whether a page that was not there when the pages were listed is
// not there now either, and belongs to the group still.
func (b *Backend) isMissing(ctx context.Context, id group.ID, p ledger.Page) bool {
	page, err := b.read(ctx, folderRevoked, pageName(id, p))
	if err != nil || page.found {
		return false
	}
	l, _, err := b.readLedger(ctx, id)
	return err == nil && slices.Contains(l.Pages, p)
}

// findLeftPages names the pages that no group lists, of those that were there at that
// time.
func (b *Backend) findLeftPages(ctx context.Context, pages []string, listed map[string]bool, at time.Time, damaged bool) Finding {
	f := Finding{Use: UseAdvice, Check: "pages of revocations", OK: true, Detail: "each is listed by its group"}
	if damaged {
		// The pages of a ledger that cannot be read would look like those of none.
		f.Detail = "not compared with the groups, as the revocations of some cannot be read"
		return f
	}
	var left, commands []string
	for _, name := range pages {
		if listed[name] || !b.isLeft(ctx, name, at) {
			continue
		}
		left = append(left, name)
		commands = append(commands, fmt.Sprintf("vault kv metadata delete -mount=%s %s/%s/%s", b.cfg.Mount, b.cfg.Prefix, folderRevoked, name))
	}
	if len(left) > 0 {
		f.OK = false
		f.Detail = "left by a server that was killed, or cut off from Vault, and read by nobody: " + strings.Join(left, ", ")
		f.Remedy = strings.Join(commands, "\n")
	}
	return f
}

// isLeft reports whether an unlisted secret is a page, and old enough: one is written
// before it is listed, and the two within one call of the store.
func (b *Backend) isLeft(ctx context.Context, name string, at time.Time) bool {
	m := pageLike.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	if _, err := group.ParseID(m[1]); err != nil {
		return false
	}
	resp, err := b.call(ctx, http.MethodGet, b.path("metadata", folderRevoked, group.ID(name)), nil)
	if err != nil || resp.Secret == nil {
		return false // gone since
	}
	text, _ := resp.Data["updated_time"].(string)
	made, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && at.Sub(made) >= b.cfg.OrphanAfter
}

// names lists a folder, in order.
func (b *Backend) names(ctx context.Context, folder string) ([]string, error) {
	resp, err := b.call(ctx, methodList, b.path("metadata", folder, ""), nil)
	if err != nil || resp.Secret == nil {
		return nil, err
	}
	list, _ := resp.Data["keys"].([]any)
	var names []string
	for _, n := range list {
		if name, isText := n.(string); isText {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
