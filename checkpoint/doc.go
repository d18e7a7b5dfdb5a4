// Package checkpoint opens and saves models: it maps the names and arguments of
// a file to a model's configuration and parameters.
//
// Containers (safetensors, torch files) are packages below this one that know
// nothing of Mega; this package knows nothing of bytes.
package checkpoint
