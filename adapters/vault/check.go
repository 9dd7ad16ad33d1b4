package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"embedseal/ports"
)

// Check asks whether the stores can be used now: Vault answers, is unsealed,
// takes this service's token, and has a KV v2 engine at the mount. The error
// tells ErrSealed from ErrDenied and from ErrUnavailable alone.
func (b *Backend) Check(ctx context.Context) error {
	err := b.checkMount(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("vault: check: %w", err)
}

// checkMount looks at the engine: a mount that is missing reads like a record
// that is missing. Every token that may do anything below the mount may ask.
func (b *Backend) checkMount(ctx context.Context) error {
	resp, err := b.call(ctx, http.MethodGet, "sys/internal/ui/mounts/"+b.cfg.Mount, nil)
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusForbidden && !f.badToken {
		f.text = "has no engine at the mount " + b.cfg.Mount + ", or grants this service nothing below it"
	}
	if err != nil {
		return err
	}
	if resp.Secret == nil {
		return &failure{kind: ports.ErrUnavailable, where: "Vault", text: "does not tell its mounts"}
	}
	options, _ := resp.Data["options"].(map[string]any)
	if resp.Data["type"] != "kv" || options["version"] != "2" {
		return fmt.Errorf("%w: %w: at the mount %s is no KV engine of version 2", ports.ErrDenied, ErrConfig, b.cfg.Mount)
	}
	return nil
}
