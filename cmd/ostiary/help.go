package main

import "github.com/spf13/cobra"

// addTopics adds the help topics, which are not commands.
func addTopics(root *cobra.Command) {
	for _, t := range topics {
		root.AddCommand(&cobra.Command{Use: t.name, Short: t.short, Long: t.text})
	}
}

var topics = []struct{ name, short, text string }{
	{"exit-codes", "What the exit codes mean", `Exit codes never change:

    0  done
    1  another error
    2  wrong use, or something that is not valid
    3  what was named is not there
    4  not allowed for this user
    5  denied by policy
    6  waits for an approval
    7  integrity or verification failed
    8  drift: something is not as it was registered
    9  not available, or too late
  130  interrupted

An error is a message, its cause and a fix on standard error; with -o json it is
one JSON object there.`},
	{"environment", "Which environment variables are read", `OSTIARY_DIR             the data directory, when --dir is not given
OSTIARY_<KEY>           a configuration key, such as OSTIARY_LIMITS_IN_FLIGHT; only keys
                        with source "any" (ostiary config show --effective). A variable
                        for any other key is refused: what loosens the gateway stands in
                        the file and nowhere else.
NOTIFY_SOCKET           set by systemd: where up reports that it is ready
WATCHDOG_USEC           set by systemd: how often up reports that it lives
NO_COLOR                nothing is coloured in any case

Variables that env:NAME names are read when a server is submitted.`},
	{"formatting", "How output can be formatted", `-o table   for people; columns may change
-o json    apiVersion, kind, items, nextCursor; fields are only ever added
-o yaml    the same as YAML
-o jsonl   one item a line
-o csv     the table's columns

Standard output is data only; notes and errors go to standard error. Times are
RFC 3339 with their offset.`},
}
