package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"embedseal/ports"
)

// Check asks whether the stores can be used now: Vault answers, is unsealed,
// takes this service's token, has a KV v2 engine at the mount, and lets the
// token read what a mint reads. With [Config.UsesTransit] it also looks whether
// a Transit key may be. The error tells ErrSealed from ErrDenied and from
// ErrUnavailable alone.
func (b *Backend) Check(ctx context.Context) error {
	err := b.look(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("vault: check: %w", err)
}

func (b *Backend) look(ctx context.Context) error {
	err := b.checkMount(ctx)
	for _, folder := range []string{folderGroups, folderRings, folderRevocations} {
		if err == nil {
			_, err = b.call(ctx, http.MethodGet, b.path("data", folder, probe), nil)
		}
	}
	if err == nil && b.cfg.UsesTransit {
		err = b.checkTransit(ctx)
	}
	if err == nil && b.cfg.UsesTransit {
		_, err = b.transitKey(ctx, b.cfg.Prefix+"."+probe+"."+probe)
	}
	return err
}

// checkMount looks at the engine: a mount that is missing reads like a record
// that is missing. Every token that may do anything below the mount may ask.
func (b *Backend) checkMount(ctx context.Context) error {
	mounted, err := b.mounted(ctx, b.cfg.Mount)
	switch {
	case err != nil:
		return err
	case mounted.path != b.cfg.Mount:
		return fmt.Errorf("%w: %w: %s", ports.ErrDenied, errMount, mounted.elsewhere(b.cfg.Mount))
	case mounted.kind != "kv" || mounted.version != "2":
		return fmt.Errorf("%w: %w: at the mount %s is no KV engine of version 2", ports.ErrDenied, errMount, b.cfg.Mount)
	}
	return nil
}

func (b *Backend) checkTransit(ctx context.Context) error {
	mounted, err := b.mounted(ctx, b.cfg.TransitMount)
	switch {
	case err != nil:
		return err
	case mounted.path != b.cfg.TransitMount:
		return fmt.Errorf("%w: %w: %s", ports.ErrDenied, errMount, mounted.elsewhere(b.cfg.TransitMount))
	case mounted.kind != "transit":
		return fmt.Errorf("%w: %w: what is mounted at %s is no Transit engine", ports.ErrDenied, errMount, b.cfg.TransitMount)
	}
	return nil
}

// errMount is of an engine that is not the one that is needed.
var errMount = errors.New("the wrong engine")

// engine is what Vault says of a mount.
type engine struct{ path, kind, version string }

// elsewhere says where the engine is that a path leads into.
func (e engine) elsewhere(asked string) string {
	return fmt.Sprintf("%s lies within the engine that is mounted at %s; name the mount alone", asked, e.path)
}

// mounted asks what engine a path leads to. That may be mounted further up.
func (b *Backend) mounted(ctx context.Context, mount string) (engine, error) {
	resp, err := b.call(ctx, http.MethodGet, "sys/internal/ui/mounts/"+mount, nil)
	var f *failure
	if errors.As(err, &f) && f.byPolicy() {
		told := *f
		told.text = "has no engine at the mount " + mount + ", or grants this service nothing below it"
		return engine{}, &told
	}
	if err != nil {
		return engine{}, err
	}
	if resp.Secret == nil {
		return engine{}, &failure{kind: ports.ErrUnavailable, where: "Vault", text: "does not tell its mounts"}
	}
	options, _ := resp.Data["options"].(map[string]any)
	var e engine
	e.kind, _ = resp.Data["type"].(string)
	e.path, _ = resp.Data["path"].(string)
	e.path = strings.Trim(e.path, "/")
	e.version, _ = options["version"].(string)
	return e, nil
}
