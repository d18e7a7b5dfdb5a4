package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/internal/textfile"
	"github.com/mega-go/mega/serve"
	"github.com/mega-go/mega/serve/page"
	"github.com/spf13/cobra"
)

// keyVariable is the environment's variable with the API keys of mega serve.
const keyVariable = "MEGA_API_KEY"

// smallModels is where a clone of the repository keeps models to try.
const smallModels = "models"

// A serveCommand is the command line of mega serve.
type serveCommand struct {
	address                string
	data                   string
	runs, origins          []string
	keyFile                string
	body, state            int // MiB
	tokens, rows, queue    int
	time, reload, drainFor int // seconds
	workers                int
	device                 deviceFlags
}

func newServe() *cobra.Command {
	c := &serveCommand{}
	cmd := &cobra.Command{
		Use:   "serve [MODEL...]",
		Short: "Serve models over HTTP, with a page to try them",
		Long: `serve answers requests about models: OpenAI's /v1/completions for language models,
/predict (Text Embeddings Inference) for classifiers, /translate (LibreTranslate) for
translators, KServe's /v2 for all of them. GET /openapi.json lists every route; a page
at / tries the models and shows the learning curves of runs.

MODEL is a run directory, a checkpoint or a fairseq .pt. Requests name it by the name
of its file or directory, or by NAME if it is given as NAME=MODEL. Without one, those in
the directory models are served. A checkpoint that changes is loaded again.

The server listens to this machine alone unless --address says otherwise. It asks for an
API key if --api-key-file or the variable MEGA_API_KEY has some, one a line. At an
interrupt it accepts nothing new, answers what it has accepted and ends.`,
		Example: `  mega serve runs/bytes-small
  mega serve lm=runs/bytes-small runs/lra-text numbers=runs/numbers-en-de --address 127.0.0.1:9000
  mega serve --runs runs
  MEGA_API_KEY=secret mega serve runs/bytes-small --address :8080`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.address, "address", "127.0.0.1:8080", "HOST:PORT to listen at; port 0 for any, without a host for the whole network")
	flags.StringVar(&c.data, "data", "", "directory of the dictionaries of the models, if their checkpoints do not say where these are")
	flags.StringArrayVar(&c.runs, "runs", nil, "run directory, or directory of them, whose learning curves the page shows; may be given several times")
	flags.StringVar(&c.keyFile, "api-key-file", "", "file of API keys, one a line, one of which every request must have (default: those of "+keyVariable+")")
	flags.StringArrayVar(&c.origins, "allow-origin", nil, "web page that may use the server from a browser, such as https://a.example, or * for all; may be given several times")
	number(flags, &c.body, "limit-body", 64, span{1, 1 << 14}, "most MiB of a request")
	number(flags, &c.tokens, "limit-tokens", 1<<16, positive, "most tokens made of a prompt")
	number(flags, &c.time, "limit-time", 600, span{1, 1 << 20}, "most seconds that a request may take")
	number(flags, &c.rows, "rows", 64, span{1, 1 << 14}, "texts that a language model makes side by side")
	number(flags, &c.queue, "queue", 256, span{1, 1 << 20}, "prompts or inputs that wait for a model; further ones are refused")
	number(flags, &c.state, "state-memory", 512, span{0, 1 << 24}, "MiB for what a language model has read, so that it is not read again; 0 for none")
	number(flags, &c.reload, "reload", 5, span{0, 1 << 20}, "seconds between looks at whether a checkpoint has changed; 0 for never")
	number(flags, &c.drainFor, "drain", 30, span{0, 1 << 20}, "seconds to answer at the end what was accepted")
	threads(flags, &c.workers, "workers", "threads that compute; 0 for all cores")
	addDevice(flags, &c.device)
	return cmd
}

func (c *serveCommand) run(cmd *cobra.Command, args []string) error {
	host, _, err := net.SplitHostPort(c.address)
	if err != nil {
		return usagef("--address is %q, want HOST:PORT", c.address)
	}
	keys, err := c.keys()
	if err != nil {
		return err
	}
	models, err := c.models(args)
	if err != nil {
		return err
	}
	return onDevice(cmd.ErrOrStderr(), &c.device, func(d device.Device) error {
		if d == nil {
			return c.serve(cmd, host, keys, models, nil)
		}
		loop := device.NewLoop(d)
		return loop.While(func() error { return c.serve(cmd, host, keys, models, loop) })
	})
}

// serve answers requests until the command is interrupted.
func (c *serveCommand) serve(cmd *cobra.Command, host string, keys []string, models []serve.Model, on *device.Loop) error {
	parallel.SetWorkers(c.workers)
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	s, err := serve.New(serve.Options{
		Models: models, Runs: c.runs, Page: page.HTML, APIKeys: keys, Origins: c.origins,
		MaxBody: int64(c.body) << 20, MaxTokens: c.tokens, MaxTime: seconds(c.time), Rows: c.rows, Queue: c.queue,
		StateMemory: orNone(c.state) << 20, Reload: seconds(orNone(c.reload)), Device: on, Log: log,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := net.Listen("tcp", c.address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); len(keys) == 0 && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		log.Warn("everybody who reaches this machine can use the server: give it an API key", "address", l.Addr())
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "serving at http://%s\n", l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	err = s.Serve(cmd.Context(), l, seconds(c.drainFor))
	log.Info("the server has ended")
	return err
}

// orNone returns a number for options in which 0 stands for the default, and a negative
// one for nothing.
func orNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// keys returns the API keys.
func (c *serveCommand) keys() ([]string, error) {
	text, from := os.Getenv(keyVariable), keyVariable
	if c.keyFile != "" {
		b, err := textfile.ReadFile(c.keyFile)
		if err != nil {
			return nil, err
		}
		text, from = string(b), c.keyFile
	}
	keys := strings.Fields(text)
	if len(keys) == 0 && (c.keyFile != "" || text != "") {
		return nil, fmt.Errorf("%s: no API key, want one a line", from)
	}
	return keys, nil
}

// models returns what is to be served: of the small models of a clone all that there
// are, if there is nothing else.
func (c *serveCommand) models(args []string) ([]serve.Model, error) {
	if len(args) == 0 && len(c.runs) == 0 {
		if args = findSmallModels(); len(args) == 0 {
			return nil, usagef("no model is given, want run directories or checkpoints (in a clone of the repository those of the directory %s are served)", smallModels)
		}
	}
	var models []serve.Model
	for _, arg := range args {
		m := serve.ModelAt(arg)
		m.Data = c.data
		models = append(models, m)
	}
	return models, nil
}

// findSmallModels returns the checkpoints in the directory of small models: files of
// weights that hold their configuration, and directories that have one.
func findSmallModels() (found []string) {
	for _, pattern := range []string{"*.safetensors", filepath.Join("*", checkpoint.ConfigFile)} {
		paths, err := filepath.Glob(filepath.Join(smallModels, pattern))
		if err != nil {
			panic(err) // the pattern is one
		}
		for _, path := range paths {
			if filepath.Base(path) == checkpoint.ConfigFile {
				path = filepath.Dir(path)
			}
			found = append(found, path)
		}
	}
	return found
}
