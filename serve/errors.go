package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/mega-go/mega/task/classify"
)

// A failure is an answer that says what went wrong, in whatever shape the protocol
// of the request has for it.
type failure struct {
	status  int
	param   string // what of the request is wrong, "" if that is not known
	message string
	retry   time.Duration // when it may go better, 0 if never
}

func (f *failure) Error() string { return f.message }

// invalid returns the failure of a request that is wrong.
func invalid(param, format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, param: param, message: fmt.Sprintf(format, args...)}
}

// The failures of a server that has too much to do, or is about to end.
var (
	errFull     = &failure{status: http.StatusTooManyRequests, message: "too many requests wait for this model: try again later", retry: time.Second}
	errDraining = &failure{status: http.StatusServiceUnavailable, message: "the server is shutting down", retry: 5 * time.Second}
	errTime     = &failure{status: http.StatusServiceUnavailable, message: "the answer took longer than a request may take", retry: time.Second}
	errBroken   = &failure{status: http.StatusInternalServerError, message: "the model failed; the server's log says how"}
)

// asFailure returns what an error says to a client.
func asFailure(err error) *failure {
	var f *failure
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &large):
		return &failure{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the body is longer than the %d bytes that the server takes", large.Limit)}
	case errors.As(err, new(*classify.TooLongError)):
		return &failure{status: http.StatusRequestEntityTooLarge, message: err.Error() + "; with truncate it is cut"}
	case errors.Is(err, context.DeadlineExceeded):
		return errTime
	case errors.Is(err, context.Canceled):
		return errDraining // nobody reads it, unless the server ended the work
	}
	return &failure{status: http.StatusInternalServerError, message: err.Error()}
}

// kind names a failure in the words of OpenAI.
func (f *failure) kind() string {
	switch {
	case f.status == http.StatusUnauthorized:
		return "authentication_error"
	case f.status == http.StatusNotFound:
		return "not_found_error"
	case f.status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case f.status >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request_error"
}

// A dialect is the shape that a protocol has for errors.
type dialect func(*failure) any

func openAI(f *failure) any {
	inner := map[string]any{"message": f.message, "type": f.kind(), "param": nil, "code": nil}
	if f.param != "" {
		inner["param"] = f.param
	}
	return map[string]any{"error": inner}
}

// embeddingsInference is the dialect of Text Embeddings Inference.
func embeddingsInference(f *failure) any {
	kind := "validation"
	switch {
	case f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable:
		kind = "overloaded"
	case f.status >= http.StatusInternalServerError:
		kind = "backend"
	}
	return map[string]string{"error": f.message, "error_type": kind}
}

// plain is the dialect of KServe and LibreTranslate.
func plain(f *failure) any { return map[string]string{"error": f.message} }

// writeFailure answers with a failure.
func writeFailure(w http.ResponseWriter, d dialect, f *failure) {
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retry.Seconds()))))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, f.status, d(f))
}

// writeJSON answers with a value. A client that does not read it is not an error.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)
}
