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
		"a word to search":  {[]string{"audit", "search", "acme"}, "a group is named with --group\n"},
		"a word to follow":  {[]string{"audit", "tail", "acme"}, "unknown command"},
		"a word to a key":   {[]string{"audit", "key", "acme"}, "unknown command"},
		"a verb mistyped":   {[]string{"stauts"}, "did you mean status?"},
		"a verb of others":  {[]string{"config", "check"}, "did you mean validate?"},
		"a group's verb":    {[]string{"group", "crate"}, "did you mean create?"},
	} {
		t.Run(name, func(t *testing.T) { run(t, tt.args...).want(t, exitUsage, tt.says) })
	}
}

func TestThePublicListenerIsNotTakenForTheAdministration(t *testing.T) {
	t.Parallel()
	s := serve(t, "--dev", "--admin-socket", "-", "--audit-path", "-")
	token := write(t, t.TempDir()+"/operator", "operator-0123456789-abcdefghijklm")
	run(t, "status", "--admin-server", "http://"+s.address, "--operator-token-file", token).
		want(t, exitRefused, "this is not the administration listener; check --admin-server")
}
