package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"embedseal/adapters/clock"
	"embedseal/adapters/datadir"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// bootstrap makes the first group. The token is on the disk before the group
// knows it, and a marker lies beside it until it was shown: whoever is killed
// in between shows it the next time.
func bootstrap(ctx context.Context, dir datadir.Dir, s stores, auditor ports.Auditor) (initialised, error) {
	b := newBootstrapper(s, auditor)
	made := initialised{DataDir: dir.String(), Group: string(firstGroup), APITokenFile: dir.Path(datadir.APIToken)}
	_, err := s.Groups.Group(ctx, firstGroup)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return made, fmt.Errorf("look for the group %s: %w", firstGroup, err)
	}
	missing := err != nil
	text := b.NewAPIToken(firstGroup)
	if missing {
		// A token that no killed init left is an old store's, perhaps a leaked one. A
		// store in Vault may still be there, and this the only copy of its token.
		if s.Reserve != nil && dir.Has(datadir.APIToken) && !dir.Has(datadir.Pending) {
			return made, fmt.Errorf("%w: %s holds the token of another store; name another --data-dir, or move it away",
				ports.ErrExists, dir.Path(datadir.APIToken))
		}
		if !dir.Has(datadir.Pending) {
			if err = dir.Remove(datadir.APIToken); err != nil {
				return made, err
			}
		}
		if _, err = dir.WriteOnce(datadir.Pending, secret.New("the API token was not shown yet; run embedseal init")); err != nil {
			return made, err
		}
		if text, err = dir.WriteOnce(datadir.APIToken, text); err != nil {
			return made, err
		}
	}
	done, err := b.Run(ctx, app.Call{}, firstGroup, text)
	if err != nil {
		return made, err
	}
	made.KeyID, made.Custody = string(done.Key.ID), done.Key.Custody.String()
	pending, known := dir.Has(datadir.Pending), true
	if !done.Created {
		// The token in the directory is this group's, or nobody's: of a killed init
		// that lost a race, or another store's.
		if text, known, err = tokenOf(ctx, dir, s); err != nil {
			return made, err
		}
	}
	if !known {
		made.APITokenFile = ""
		if pending {
			err = dir.Remove(datadir.APIToken)
		}
	}
	unseen := known && (done.Created || pending)
	if unseen {
		made.APIToken = text.Reveal()
	}
	// A key that is made for a group that was there has been seen by nobody either.
	if made.Created = unseen || done.KeyMade; made.Created {
		made.KeyValue = done.Key.Secret.Reveal()
	}
	return made, err
}

// tokenOf is the token in the directory, and whether the group knows it.
func tokenOf(ctx context.Context, dir datadir.Dir, s stores) (text secret.Text, known bool, err error) {
	text, err = dir.Read(datadir.APIToken)
	if errors.Is(err, fs.ErrNotExist) {
		return text, false, nil
	}
	if err != nil {
		return text, false, err
	}
	g, err := s.Groups.Group(ctx, firstGroup)
	if err != nil {
		return text, false, fmt.Errorf("look for the group %s: %w", firstGroup, err)
	}
	_, known = g.Token(apitoken.DigestOf(text), clock.System{}.Now())
	return text, known, nil
}
