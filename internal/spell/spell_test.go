package spell

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"chunk_size", "z_dim", "n_dim", "encoder_layers"}
	for _, c := range []struct{ word, want string }{
		{"chunk_sise", "chunk_size"},
		{"chunksize", "chunk_size"},
		{"z-dim", "z_dim"},
		{"encoder_layer", "encoder_layers"},
		{"quite_another_thing", ""},
		{"", ""},
	} {
		if got := Nearest(c.word, known); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ab", "ba", 2}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := edits(c.b, c.a); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
