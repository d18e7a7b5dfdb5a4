// Package page holds the web page of the server: one file that loads nothing else.
// It speaks to the routes of package serve and to nothing beside them.
package page

import _ "embed"

// HTML is the page, for serve.Options.
//
//go:embed index.html
var HTML []byte
