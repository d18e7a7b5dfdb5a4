package serve

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestEveryRouteIsDescribed: the description has the routes that there are, and no
// others, and each with the shape of its errors. The module clienttest holds answers
// against it.
func TestEveryRouteIsDescribed(t *testing.T) {
	var d struct {
		Paths      map[string]map[string]struct{ Responses map[string]any }
		Components struct{ Schemas map[string]any }
	}
	s := shared(t)
	_, text, header := ask(t, s, "GET", "/openapi.json", "", nil)
	if err := json.Unmarshal(text, &d); err != nil || header.Get("Content-Type") != "application/json" {
		t.Fatal(err)
	}
	var described []string
	for path, methods := range d.Paths {
		for method, operation := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
			if operation.Responses["200"] == nil {
				t.Errorf("%s %s has no answer", method, path)
			}
		}
	}
	var routes []string
	for _, r := range s.routes {
		routes = append(routes, strings.TrimSuffix(r, "{$}"))
	}
	slices.Sort(described)
	slices.Sort(routes)
	if !slices.Equal(described, routes) {
		t.Errorf("described are\n%v, and routes\n%v", described, routes)
	}
	for _, part := range strings.Split(string(text), `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if d.Components.Schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
}
