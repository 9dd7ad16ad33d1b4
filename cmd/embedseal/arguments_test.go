package main

import "testing"

func TestVerbsSayWhichArgumentIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"no id":             {[]string{"key", "retire"}, "the ID is missing: embedseal key retire ID\n"},
		"two ids":           {[]string{"token", "revoke", "a", "b"}, "one ID at a time, and 2 were given\n"},
		"a group as an id":  {[]string{"key", "list", "acme"}, `embedseal key list takes no argument, and "acme" was given; a group is named with --group` + "\n"},
		"a policy's group":  {[]string{"group", "policy", "show", "acme"}, "a group is named with --group\n"},
		"no group anywhere": {[]string{"version", "acme"}, "unknown command"},
	} {
		t.Run(name, func(t *testing.T) { run(t, tt.args...).want(t, exitUsage, tt.says) })
	}
}
