package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/mega-go/mega/serve"
	"github.com/mega-go/mega/serve/page"
)

// showRun serves the page with the curves of a run until stop is called.
func showRun(w io.Writer, address, dir string) (stop func(), err error) {
	s, err := serve.New(serve.Options{Runs: []string{dir}, Page: page.HTML})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.Close()
		return nil, usagef("--serve: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, 0) }()
	fmt.Fprintf(w, "the run is at http://%s while it trains\n", l.Addr())
	return func() {
		cancel()
		<-ended
		s.Close()
	}, nil
}
