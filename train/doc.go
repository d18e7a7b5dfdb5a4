// Package train is the trainer. It takes a [Task] through its epochs with AdamW,
// a learning rate schedule and gradient accumulation, validates, keeps the best
// checkpoint, and leaves a run directory from which it resumes bit for bit.
//
// [Run] is the way in. The numbers it produces are the reference's (fairseq's
// trainer.py, adam.py and lr_scheduler/), and so are the names in [Config].
//
// A run directory holds
//
//	config.json     everything the run was started with
//	checkpoints/    update_N, and names for some of them: checkpoint_last,
//	                checkpoint_best, checkpointEPOCH, ... (symbolic links, or
//	                files with the name of the directory where there are none)
//	metrics.jsonl   one JSON object per interval, epoch and validation
//	train.log       what happened
//	curve.svg, .png the learning curve
//
// The package knows nothing of models, data sets or metrics beyond what a Task
// tells it, and it touches a tensor's numbers only to update weights.
package train
