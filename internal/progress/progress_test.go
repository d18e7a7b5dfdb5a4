package progress

import (
	"bytes"
	"testing"
	"time"
)

// Off a terminal there is a line only now and then.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	m := New(&out, "reading", "bytes")
	defer m.Close()
	m.Show(1, 100)
	if out.Len() > 0 {
		t.Errorf("at once: %q", out.String())
	}
	m.next = time.Now().Add(-time.Second)
	m.Show(25, 100)
	m.Show(26, 100)
	if want := "reading: 25 of 100 bytes (25%)\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
