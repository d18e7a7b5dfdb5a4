// Package audio reads recordings as sequences of samples: WAV files, resampled
// to one rate and made one length, and the Speech Commands data set as its
// directories of them or, as the reference keeps it, in tensors.
//
// Samples are mono float32 in [-1, 1] until a [Normalization] makes them the
// model's input. The package makes no spectrograms: Mega reads raw sound.
package audio
