package train

import (
	"context"
	"strings"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/nn"
)

// emaPrefix begins the names of what a validation measures of the averages of the
// weights.
const emaPrefix = "ema_"

// OfModelEMA reports whether a metric is of the averages of the weights.
func OfModelEMA(metric string) bool { return strings.HasPrefix(metric, emaPrefix) }

// A modelEMA keeps exponential moving averages of all numbers of a model, its
// buffers among them (timm/utils/model_ema.py, which deit/main.py of mega-image
// calls after each update).
type modelEMA struct {
	params, averages *nn.Params
	mean             *autograd.Average
}

// newModelEMA returns the averages of a configuration, nil if it wants none.
func newModelEMA(params *nn.Params, c Config, w *autograd.Workers) *modelEMA {
	if !c.ModelEMA {
		return nil
	}
	averages := params.Clone()
	averages.Move(params.Device())
	return &modelEMA{params, averages, autograd.NewAverage(averages.Tensors(), params.Tensors(), c.ModelEMADecay, w)}
}

// update follows the model after a step.
func (e *modelEMA) update() {
	e.mean.Update()
	for i, c := range e.params.Counters() {
		e.averages.Counters()[i].Value = c.Value
	}
}

// swap exchanges the numbers of the model for the averages, and back.
func (e *modelEMA) swap() {
	averages := e.averages.Tensors()
	for i, t := range e.params.Tensors() {
		t.Swap(averages[i])
	}
}

// measure validates the model, and its averages where they are kept, under names of
// their own. What a device lacks for that is an error, so that the run is saved first.
func (r *run) measure(ctx context.Context, e *Evaluator) (metrics Metrics, err error) {
	defer device.Catch(&err)
	metrics, err = r.task.Validate(ctx, e)
	if r.ema == nil || err != nil {
		return metrics, err
	}
	r.ema.swap()
	defer r.ema.swap()
	averaged, err := r.task.Validate(ctx, e)
	for name, v := range averaged {
		metrics[emaPrefix+name] = v
	}
	return metrics, err
}

// metricNames lists what a run's validations measure.
func metricNames(of []string, c Config) []string {
	names := of
	if c.ModelEMA {
		for _, name := range of {
			names = append(names[:len(names):len(names)], emaPrefix+name)
		}
	}
	return names
}
