package mega

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
)

// A Config is everything that fixes the architecture of a kind of models, such as
// a ClassifierConfig. Its fields have the reference's argument names as JSON keys.
type Config interface {
	// Validate reports every key whose value is impossible.
	Validate() error
	// ValidateBeforeData is Validate for a configuration whose vocabularies may be
	// 0, since they are taken from data that is not read yet.
	ValidateBeforeData() error
	// ParameterCount returns the number of trainable numbers of such a model, 0 if
	// the configuration is not valid. It allocates none of them.
	ParameterCount() int
}

// ParseConfig reads a configuration as JSON and checks it. An unknown key is an
// error that names the nearest known one.
func ParseConfig[C Config](data []byte) (C, error) {
	var c C
	if err := config.Strict(data, &c); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, c.Validate()
}

// arch returns the configuration that the reference registers under the name of an
// architecture; what tells the kind in an error.
func arch[C any](archs map[string]func() C, what, name string) (c C, err error) {
	f, ok := archs[name]
	if !ok {
		return c, fmt.Errorf("unknown %sarchitecture %q, want one of %s", what, name, strings.Join(slices.Sorted(maps.Keys(archs)), ", "))
	}
	return f(), nil
}

// A validator collects what is wrong with a configuration.
type validator struct {
	config.Complaints
	beforeData bool // vocabularies may be 0: they are taken from data that is not read yet
}

// A checked configuration complains to a validator.
type checked interface{ check(v *validator) }

// vocabulary complains of a number of symbols.
func (v *validator) vocabulary(key string, got, least int) {
	if got != 0 || !v.beforeData {
		v.Between(key, got, least, maxVocabulary)
	}
}

// validate reports what is wrong with the configuration of a model that build
// registers: a value that is impossible, or more parameters than a machine could
// hold.
func validate[C checked, M any](c C, build func(*nn.Params, C) (M, error)) error {
	var v validator
	c.check(&v)
	if v.None() {
		n := countParameters(c, build)
		v.Check(n <= maxParameters, "the model would have %d parameters, want at most %d", n, maxParameters)
	}
	return config.Wrap("configuration", v.Err())
}

// validateBeforeData is validate but for vocabularies and the number of parameters.
func validateBeforeData(c checked) error {
	v := validator{beforeData: true}
	c.check(&v)
	return config.Wrap("configuration", v.Err())
}

// countParameters returns the number of trainable numbers of the model that build
// registers, 0 if its configuration is not valid. No memory is taken for them.
func countParameters[C checked, M any](c C, build func(*nn.Params, C) (M, error)) int {
	p := nn.NewShapes()
	if validateBeforeData(c) != nil {
		return 0
	}
	if _, err := build(p, c); err != nil {
		return 0
	}
	return p.Count()
}
