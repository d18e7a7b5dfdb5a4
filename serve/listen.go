package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Serve answers requests on a listener until ctx ends. Then it accepts nothing new,
// answers what it has accepted, at most for the given time, and returns.
func (s *Server) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	web := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: patience,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 16,
		ErrorLog:          nil,
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	// Connections are taken and answered with 503 while others are served, so that
	// whoever balances load sees that the server is not ready.
	s.Drain(limit)
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := web.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = web.Close()
	}
	<-failed
	return err
}
