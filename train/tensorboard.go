package train

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/mega-go/mega/internal/tfevents"
)

// TensorBoard says what is written for TensorBoard.
type TensorBoard struct {
	// Dir gets a directory of event files for each kind of record, named as the
	// reference's (--tensorboard-logdir); "" for none.
	Dir string
	// Histograms returns numbers whose spread is written with every validation,
	// by name; nil for none.
	Histograms func() map[string][]float64
}

// boardNames are the reference's names for kinds of records (fairseq_cli/train.py).
var boardNames = map[string]string{KindTrain: "train_inner", KindEpoch: "train", KindValid: "valid"}

// A board writes records for TensorBoard.
type board struct {
	TensorBoard
	from    int // the updates that the run had when this session began
	writers map[string]*tfevents.Writer
}

// record writes a record, if anything is to be written.
func (b *board) record(rec Record) error {
	if b.Dir == "" {
		return nil
	}
	w, ok := b.writers[rec.Kind]
	if !ok {
		var err error
		if w, err = tfevents.New(filepath.Join(b.Dir, boardNames[rec.Kind]), b.from); err != nil {
			return err
		}
		b.writers[rec.Kind] = w
	}
	if err := w.Scalars(rec.Update, rec.Metrics); err != nil || rec.Kind != KindValid || b.Histograms == nil {
		return err
	}
	all := b.Histograms()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := w.Histogram(rec.Update, name, all[name]); err != nil {
			return err
		}
	}
	return nil
}

func (b *board) close() (err error) {
	for _, w := range b.writers {
		err = errors.Join(err, w.Close())
	}
	return err
}
