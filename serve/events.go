package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// events writes server-sent events.
type events struct {
	w     http.ResponseWriter
	begun bool
}

// send sends a value as an event, with fields before it such as its name, each a line.
func (e *events) send(fields string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return e.raw(fmt.Sprintf("%sdata: %s\n\n", fields, text))
}

// raw sends lines as they are.
func (e *events) raw(lines string) error {
	if !e.begun {
		h := e.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // a proxy is not to gather them
		e.w.WriteHeader(http.StatusOK)
		e.begun = true
	}
	if _, err := e.w.Write([]byte(lines)); err != nil {
		return err
	}
	return http.NewResponseController(e.w).Flush()
}
