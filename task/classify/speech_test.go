package classify

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/audio"
)

// writeSpeech makes recordings of two words in the layout of Speech Commands,
// ten of each, a tone for each word at 8 kHz; the last of each is to test on, the
// one before to validate.
func writeSpeech(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	lists := map[string]string{}
	for w, word := range []string{"on", "off"} {
		for i := range 10 {
			clip := &audio.Clip{Rate: 8000, Samples: make([]float32, 60+i)}
			for k := range clip.Samples {
				clip.Samples[k] = float32(0.5 * math.Sin(float64((w+1)*(i+3)*k)/10))
			}
			var b bytes.Buffer
			if err := audio.WriteWAV(&b, clip); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s/v%d_nohash_0.wav", word, i)
			writeFile(t, filepath.Join(dir, name), b.String())
			if list := map[int]string{8: "validation_list.txt", 9: "testing_list.txt"}[i]; list != "" {
				lists[list] += name + "\n"
			}
		}
	}
	for name, text := range lists {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestConvertedSpeechIsTheRecordings: what is read from the processed layout is
// bit for bit what is read from the WAV files, the reference's way and ours.
func TestConvertedSpeechIsTheRecordings(t *testing.T) {
	from := writeSpeech(t)
	for _, reference := range []bool{false, true} {
		d := DefaultDataConfig()
		d.Task, d.Data, d.ScWords, d.ScRate, d.ScLength, d.ScReference = "speech_commands", from, []string{"on", "off"}, 8000, 64, reference
		if reference {
			d.ScLength = 60 // takes recordings of no other length
			for _, word := range d.ScWords {
				for i := range 10 {
					copyWAV(t, from, word, i)
				}
			}
		}
		to := t.TempDir()
		c, err := audio.Convert(from, to, d.speechOptions(), false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := openSpeech(d)
		if err != nil {
			t.Fatal(err)
		}
		d.Data, d.ScWords = to, nil
		got, err := openSpeech(d)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Classes, []string{"on", "off"}) || got.Inputs.Rate != 8000 || got.Inputs.Length != d.ScLength {
			t.Errorf("classes %v, inputs %+v", got.Classes, got.Inputs)
		}
		if !slices.Equal(got.Inputs.Normalization.Mean, want.Inputs.Normalization.Mean) {
			t.Error("another normalisation")
		}
		for _, name := range []string{"train", "valid", "test"} {
			if !got.Has(name) {
				t.Errorf("no split %s", name)
			}
			a, b := batchOf(t, got, name), batchOf(t, want, name)
			if !slices.Equal(a.Samples, b.Samples) || !slices.Equal(a.Labels, b.Labels) || len(a.Labels) != c.Splits[name] {
				t.Errorf("reference %v, %s: %d recordings of the processed layout differ from %d WAV files", reference, name, len(a.Labels), len(b.Labels))
			}
		}
		if _, err := audio.Convert(from, to, d.speechOptions(), false, false, nil); err == nil || !strings.Contains(err.Error(), "there already") {
			t.Errorf("a second conversion: %v", err)
		}
	}
}

// copyWAV puts a recording of 60 samples beside number i.
func copyWAV(t *testing.T, dir, word string, i int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, word, "v0_nohash_0.wav"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, word, fmt.Sprintf("w%d_nohash_0.wav", i)), string(b))
}

// batchOf returns a whole split.
func batchOf(t *testing.T, c *Corpus, split string) *data.Batch {
	t.Helper()
	s, err := c.Open(split)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, s.Len())
	for i := range all {
		all[i] = i
	}
	b, err := s.Collate(all)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSpeechErrors(t *testing.T) {
	from := writeSpeech(t)
	d := DefaultDataConfig()
	d.Data, d.ScDroppedRate = from, 10
	if _, err := openSpeech(d); err == nil || !strings.Contains(err.Error(), "want 0") {
		t.Errorf("dropped samples: %v", err)
	}
	to := t.TempDir()
	if _, err := audio.Convert(from, to, audio.Options{Lists: true}, false, false, nil); err == nil || !strings.Contains(err.Error(), `"yes"`) {
		t.Errorf("missing words: %v", err)
	}
	processed := audio.ProcessedDir(to, false)
	writeFile(t, filepath.Join(processed, "train_X.pt"), "no pickle")
	d.Data, d.ScDroppedRate = to, 0
	c, err := openSpeech(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open("train"); err == nil || !strings.Contains(err.Error(), "train_X.pt") {
		t.Errorf("broken tensor: %v", err)
	}
	writeFile(t, filepath.Join(processed, audio.FormatFile), "{")
	if _, err := openSpeech(d); err == nil || !strings.Contains(err.Error(), audio.FormatFile) {
		t.Errorf("broken %s: %v", audio.FormatFile, err)
	}
}
