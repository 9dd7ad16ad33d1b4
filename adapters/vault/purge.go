package vault

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"embedseal/domain/group"
	"embedseal/ports"
)

// purge destroys all versions before that one, for good, and is certain of it
// when it returns nil.
func (b *Backend) purge(ctx context.Context, folder string, id group.ID, before int64) error {
	for try := 0; ; try++ {
		if try > 1 { // the second look is at what the first time round has done
			pause(ctx, 50*time.Millisecond)
		}
		left, err := b.versions(ctx, folder, id, before)
		if err == nil && len(left) == 0 {
			return nil
		}
		if err == nil {
			_, err = b.call(ctx, http.MethodPut, b.path("destroy", folder, id), map[string]any{"versions": left})
		}
		// The write before it is done: whatever may pass is waited for.
		if err != nil && (errors.Is(err, ports.ErrDenied) || ctx.Err() != nil) {
			return err
		}
	}
}

// versions lists those before that one which still hold data. A version that
// was deleted and not destroyed does.
func (b *Backend) versions(ctx context.Context, folder string, id group.ID, before int64) ([]int64, error) {
	resp, err := b.call(ctx, http.MethodGet, b.path("metadata", folder, id), nil)
	if err != nil {
		return nil, err
	}
	if resp.Secret == nil {
		// Gone with all its versions, or this is not where its metadata is.
		if r, err := b.read(ctx, folder, id); err != nil || r.version > 0 {
			return nil, errors.Join(notVault(), err)
		}
		return nil, nil
	}
	all, isObject := resp.Data["versions"].(map[string]any)
	if !isObject {
		return nil, notVault()
	}
	var left []int64
	for name, v := range maps.All(all) {
		number, err := strconv.ParseInt(name, 10, 64)
		version, isObject := v.(map[string]any)
		destroyed, isBool := version["destroyed"].(bool)
		if err != nil || !isObject || !isBool {
			return nil, notVault()
		}
		if number < before && !destroyed {
			left = append(left, number)
		}
	}
	slices.Sort(left)
	return left, nil
}
