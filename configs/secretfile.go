package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// secrets reads the files that the joined layers name.
func (l *loader) secrets() map[string]any {
	layer := map[string]any{}
	for _, k := range l.keys {
		nameKey := k.Path + fileSuffix
		name := l.merged.String(nameKey)
		if k.Kind != Secret || name == "" || l.wrong[nameKey] {
			continue
		}
		source := l.source(nameKey)
		if given, ok := l.sources[k.Path]; ok || l.wrong[k.Path] {
			if ok {
				l.fault(k.Path, given, fmt.Sprintf("is given, and %s too (%s); keep one of them", nameKey, source))
			}
			continue
		}
		if slices.Contains(l.in.Unread, k.Path) {
			continue
		}
		data, mode, err := l.read(name, maxText)
		if err != nil {
			l.fault(nameKey, source, "the file "+err.Error())
			continue
		}
		if shared(mode) {
			l.warnings = append(l.warnings, fmt.Sprintf("%s (%s): the file is open to others (mode %04o); chmod 600 it", nameKey, source, mode.Perm()))
		}
		text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if err := k.set(&Config{}, []string{text}); err != nil {
			l.fault(nameKey, source, "what is in the file "+err.Error())
			continue
		}
		layer[k.Path] = text
		l.sources[k.Path] = fmt.Sprintf("the file of %s, from %s", nameKey, source)
	}
	return layer
}

// shared reports a file that group or others may use. A pipe has no mode that
// means anything.
func shared(mode fs.FileMode) bool { return mode.IsRegular() && mode.Perm()&0o077 != 0 }

// read reads a file of at most limit bytes. Its error does not show the path:
// it may be a secret that was put where the name of its file belongs.
func (l *loader) read(path string, limit int64) ([]byte, fs.FileMode, error) {
	f, err := l.in.Open(path)
	if err != nil {
		return nil, 0, unreadable(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return nil, 0, unreadable(err)
	}
	if int64(len(data)) > limit {
		return nil, 0, fmt.Errorf("has more than %d bytes", limit)
	}
	return data, info.Mode(), nil
}

func unreadable(err error) error {
	if bare := (*fs.PathError)(nil); errors.As(err, &bare) {
		err = bare.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}
