package crashtest_test

import (
	"context"
	"path/filepath"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/file"
)

// backend is a way to keep a store in a directory.
type backend struct {
	name   string
	create func(ctx context.Context, dir string) (created bool, err error)
	open   func(ctx context.Context, dir string) (stores, error)
}

func backends() []backend { return []backend{bboltBackend(), fileBackend()} }

func masterKeyBytes() [32]byte { return [32]byte{1: 1, 31: 31} }

func bboltBackend() backend {
	config := func(dir string) bbolt.Config {
		return bbolt.Config{Path: filepath.Join(dir, "data", "store.db"), MasterKey: bbolt.NewMasterKey(masterKeyBytes())}
	}
	return backend{
		name:   "bbolt",
		create: func(ctx context.Context, dir string) (bool, error) { return bbolt.Create(ctx, config(dir)) },
		open: func(ctx context.Context, dir string) (stores, error) {
			s, closeStore, err := bbolt.Open(ctx, config(dir))
			if err != nil {
				return stores{}, err
			}
			return stores{bbolt.NewKeyStore(s), bbolt.NewGroupStore(s), bbolt.NewRevocationStore(s), closeStore}, nil
		},
	}
}

func fileBackend() backend {
	config := func(dir string) file.Config {
		return file.Config{Dir: filepath.Join(dir, "data", "store"), MasterKey: file.NewMasterKey(masterKeyBytes())}
	}
	return backend{
		name:   "file",
		create: func(ctx context.Context, dir string) (bool, error) { return file.Create(ctx, config(dir)) },
		open: func(ctx context.Context, dir string) (stores, error) {
			s, closeStore, err := file.Open(ctx, config(dir))
			if err != nil {
				return stores{}, err
			}
			return stores{file.NewKeyStore(s), file.NewGroupStore(s), file.NewRevocationStore(s), closeStore}, nil
		},
	}
}
