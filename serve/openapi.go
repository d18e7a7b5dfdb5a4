package serve

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI31 []byte

// showOpenAPI answers with the description of all routes.
func (s *Server) showOpenAPI(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(openAPI31)
	return err
}
