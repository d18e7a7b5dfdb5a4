package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/config"
)

// metricsFile is where a run directory keeps its records.
const metricsFile = "metrics.jsonl"

// The kinds of records.
const (
	KindTrain = "train" // means over the updates since the last one
	KindEpoch = "epoch" // means over an epoch's updates
	KindValid = "valid" // a validation
)

// A Record is one line of metrics.jsonl: a flat JSON object with kind, epoch,
// update (the number of updates done) and the metrics by name.
type Record struct {
	Kind          string
	Epoch, Update int
	Metrics       Metrics
}

// MarshalJSON writes kind, epoch and update first, then the metrics by name.
func (r Record) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(struct {
		Kind   string `json:"kind"`
		Epoch  int    `json:"epoch"`
		Update int    `json:"update"`
	}{r.Kind, r.Epoch, r.Update})
	if err != nil || len(r.Metrics) == 0 {
		return head, err
	}
	tail, err := json.Marshal(r.Metrics)
	if err != nil {
		return nil, err
	}
	head[len(head)-1] = ','
	return append(head, tail[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON writes; null becomes NaN.
func (r *Record) UnmarshalJSON(data []byte) error {
	var m map[string]json.RawMessage
	if err := config.Decode(data, &m); err != nil {
		return err
	}
	*r = Record{Metrics: Metrics{}}
	for key, target := range map[string]any{"kind": &r.Kind, "epoch": &r.Epoch, "update": &r.Update} {
		value, ok := m[key]
		if !ok {
			return fmt.Errorf("a record has no %s", key)
		}
		if err := config.Decode(value, target); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		delete(m, key)
	}
	for name, value := range m {
		x := math.NaN()
		if err := config.Decode(value, &x); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.Metrics[name] = x
	}
	return nil
}

// UnmarshalJSON reads what MarshalJSON writes; null becomes NaN.
func (m *Metrics) UnmarshalJSON(data []byte) error {
	var in map[string]*float64
	if err := config.Decode(data, &in); err != nil {
		return err
	}
	*m = nil
	if in != nil {
		*m = make(Metrics, len(in))
	}
	for name, v := range in {
		(*m)[name] = math.NaN()
		if v != nil {
			(*m)[name] = *v
		}
	}
	return nil
}

// ReadRecords reads a metrics.jsonl. A last line that a kill cut short is
// passed over.
func ReadRecords(path string) ([]Record, error) {
	file, err := filemap.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var records []Record
	in := bufio.NewReader(io.NewSectionReader(file, 0, file.Size()))
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var r Record
		if err := config.Decode(text, &r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		records = append(records, r)
	}
}

// truncateRecords drops the records after an update, which a resumed run is
// going to write again.
func truncateRecords(path string, update int) error {
	records, err := ReadRecords(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	for _, r := range records {
		if r.Update > update {
			continue
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		kept.Write(append(line, '\n'))
	}
	return atomicfile.WriteFile(path, kept.Bytes())
}

// appendRecord writes a record in one piece.
func appendRecord(w io.Writer, r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
