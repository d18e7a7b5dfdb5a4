package audio

import (
	"math"
	"testing"
)

// tone returns n samples of a sine.
func tone(n int, frequency, rate float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(2 * math.Pi * frequency * float64(i) / rate))
	}
	return x
}

// loudest returns the largest difference of a and b away from their ends, where
// the filter sees silence beside the tone.
func loudest(a, b []float32) float64 {
	worst := 0.0
	margin := len(a) / 5
	for i := margin; i < len(a)-margin; i++ {
		worst = max(worst, math.Abs(float64(a[i]-b[i])))
	}
	return worst
}

func TestResampleKeepsTones(t *testing.T) {
	const seconds, to = 0.1, 16000
	for _, from := range []int{8000, 11025, 22050, 44100, 48000, 16001} {
		for _, frequency := range []float64{100, 1000, 3600} {
			got := Resample(tone(int(seconds*float64(from)), frequency, float64(from)), from, to)
			want := tone(len(got), frequency, to)
			if worst := loudest(got, want); worst > 1.2e-3 { // 0.01 dB
				t.Errorf("%d to %d: a tone of %v Hz is off by %.2g", from, to, frequency, worst)
			}
		}
	}
}

func TestResampleRemovesAliases(t *testing.T) {
	for _, frequency := range []float64{8100, 9000, 15000, 20000} {
		got := Resample(tone(4410, frequency, 44100), 44100, 16000)
		if worst := loudest(got, make([]float32, len(got))); worst > 1e-4 { // -80 dB
			t.Errorf("a tone of %v Hz comes through at %.2g", frequency, worst)
		}
	}
}

func TestResampleLength(t *testing.T) {
	for _, c := range []struct{ n, from, to, want int }{
		{44100, 44100, 16000, 16000}, {0, 8000, 16000, 0}, {1, 48000, 16000, 1}, {3, 8000, 16000, 6}, {100, 16000, 16000, 100},
	} {
		if got := len(Resample(make([]float32, c.n), c.from, c.to)); got != c.want {
			t.Errorf("%d samples from %d to %d: %d, want %d", c.n, c.from, c.to, got, c.want)
		}
	}
}
