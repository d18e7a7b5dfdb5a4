// Package audio reads recordings as sequences of samples. It reads WAV files,
// resamples them to one rate and brings them to one length. It reads the Speech
// Commands data set as directories of WAV files or, as the reference keeps it, as
// tensors.
//
// Samples are mono float32 in [-1, 1] until a [Normalization] makes them the
// model's input. The package makes no spectrograms: Mega reads raw sound.
package audio
