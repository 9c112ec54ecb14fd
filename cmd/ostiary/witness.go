package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/witness"
)

func newWitness(c *cli) *cobra.Command {
	return group("witness", "Be a witness for the logs of other gateways",
		newWitnessInit(c), newWitnessWatch(c), newWitnessServe(c), newWitnessShow(c))
}

// witnessed is what the commands of a witness answer.
type witnessed struct {
	Dir  string       `json:"dir"`
	Key  string       `json:"key"`
	CA   string       `json:"ca"`
	Logs []watchedLog `json:"logs"`
}

type watchedLog struct {
	Name string `json:"name"`
	Size uint64 `json:"size"` // that was cosigned last
	Root string `json:"root,omitempty"`
}

var witnessedColumns = []string{"dir", "key", "ca", "logs"}

func newWitnessInit(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{Use: "init --dir W --name NAME", Short: "Make a witness with a key of its own in a folder", Args: args(0, 0),
		Long: "init makes a witness: a key, a certificate authority and an empty memory. Its folder belongs on\n" +
			"another machine than the gateways that it watches. NAME stands in every signature and is best\n" +
			"the address without scheme, such as witness.example.com/ostiary.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" {
				return usage(cmd, errors.New("--name NAME is missing"))
			}
			dir, err := filepath.Abs(c.dir)
			if err != nil {
				return err
			}
			vkey, err := app.InitWitness(dir, name)
			if err != nil {
				return err
			}
			return c.print(page{kind: "Witness", columns: witnessedColumns, wide: true,
				items: []witnessed{{Dir: dir, Key: vkey, CA: filepath.Join(dir, "ca.pem"), Logs: []watchedLog{}}},
				notices: []string{"next: ostiary witness watch VKEY, then ostiary witness serve --listen HOST:PORT",
					"a gateway takes it by: ostiary audit witness add NAME " + vkey + " https://HOST:PORT"}})
		}}
	cmd.Flags().StringVar(&name, "name", "", "name of the witness, without spaces and plus signs")
	return cmd
}

// witness opens the folder of a witness and runs do.
func (c *cli) witness(ctx context.Context, do func(*app.Witness) error) error {
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return err
	}
	w, err := app.OpenWitness(ctx, dir, c.options(0))
	if err != nil {
		return err
	}
	return errors.Join(do(w), w.Close())
}

func newWitnessWatch(c *cli) *cobra.Command {
	return &cobra.Command{Use: "watch VKEY|FILE...", Short: "Watch logs, named by their public keys", Args: args(1, -1),
		Long: "watch takes the public keys of logs (ostiary audit logs shows them, ostiary audit\n" +
			"export writes *.vkey files). A witness that serves takes them at its next start.",
		RunE: func(cmd *cobra.Command, given []string) error {
			vkeys, err := readVKeys(given)
			if err != nil {
				return err
			}
			return c.witness(cmd.Context(), func(w *app.Witness) error {
				if err := w.Watch(vkeys); err != nil {
					return err
				}
				return c.showWitness(w)
			})
		}}
}

// readVKeys takes keys as they are, and files that hold them.
func readVKeys(given []string) ([]string, error) {
	var all []string
	for _, text := range given {
		if strings.Contains(text, "+") {
			all = append(all, text)
			continue
		}
		b, err := os.ReadFile(text)
		if err != nil {
			return nil, invalid("give a public key or a file that holds one", "%q is neither a public key nor a file", text)
		}
		all = append(all, strings.Fields(string(b))...)
	}
	return all, nil
}

func newWitnessServe(c *cli) *cobra.Command {
	var o app.WitnessServe
	cmd := &cobra.Command{Use: "serve --dir W [--listen HOST:PORT]", Short: "Cosign checkpoints until SIGTERM", Args: args(0, 0),
		Long: "serve answers C2SP tlog-witness requests over HTTPS. It cosigns a checkpoint only when the log\n" +
			"has grown since the one before, and remembers that on disk before it answers. Checkpoints that\n" +
			"prove a rollback or a fork are kept in the folder misbehaviour.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Log = c.stderr
			o.Ready = func(address string) { fmt.Fprintln(c.stderr, "ready: checkpoints are cosigned at https://"+address) }
			return c.witness(cmd.Context(), func(w *app.Witness) error {
				if len(w.Logs) == 0 {
					return invalid("add one: ostiary witness watch VKEY", "the witness watches no log")
				}
				return w.Serve(cmd.Context(), o)
			})
		}}
	f := cmd.Flags()
	f.StringVar(&o.Address, "listen", "127.0.0.1:8453", "address to serve")
	f.StringSliceVar(&o.Names, "name", nil, "further names or addresses in its certificate")
	f.StringVar(&o.Cert, "tls-cert", "", "PEM certificate chain, instead of one of the witness's own authority")
	f.StringVar(&o.Key, "tls-key", "", "its PEM private key")
	return cmd
}

func newWitnessShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show --dir W", Short: "Show what a witness remembers, while it does not serve", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.witness(cmd.Context(), c.showWitness) }}
}

func (c *cli) showWitness(w *app.Witness) error {
	v := witnessed{Dir: w.Dir, Key: w.VKey, CA: filepath.Join(w.Dir, "ca.pem"), Logs: []watchedLog{}}
	for _, vkey := range w.Logs {
		origin, err := witness.CheckLogKey(vkey)
		if err != nil {
			return err
		}
		one := watchedLog{Name: origin}
		for _, s := range w.State {
			if s.Origin == origin {
				one.Size, one.Root = s.Size, s.Root.String()
			}
		}
		v.Logs = append(v.Logs, one)
	}
	return c.print(page{kind: "Witness", columns: witnessedColumns, items: []witnessed{v}, wide: true})
}
