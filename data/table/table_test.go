package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// write writes a file, compressed as its name says.
func write(t testing.TB, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch filepath.Ext(name) {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		w, _ = zstd.NewWriter(&b)
	}
	if w == nil {
		b.WriteString(content)
	} else {
		io.WriteString(w, content)
		w.Close()
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows returns what a table holds: columns, then a line a row with its number, or
// an error.
func rows(path string, o Options) string {
	r, err := Open(path, o)
	if err != nil {
		return strings.ReplaceAll(err.Error(), path, "FILE")
	}
	defer r.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%q", r.Columns)
	for {
		row, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if bad := new(RowError); errors.As(err, &bad) {
			fmt.Fprintf(&b, " !%d: %v", bad.Line, bad.Err)
			continue
		} else if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, " %d:", row.Line)
		for _, cell := range row.Cells {
			if cell == nil {
				b.WriteString("-")
			} else {
				fmt.Fprintf(&b, "<%s>", cell)
			}
		}
	}
}

// utf16 encodes text of the first plane.
func utf16(mark, text string, big bool) string {
	b := []byte(mark)
	for _, c := range text {
		if big {
			b = append(b, byte(c>>8), byte(c))
		} else {
			b = append(b, byte(c), byte(c>>8))
		}
	}
	return string(b)
}

// TestRows: encodings, quotes, line ends, empty and missing cells, and rows that
// are malformed, each as a careful reader has them.
func TestRows(t *testing.T) {
	for _, test := range []struct {
		name, file, content string
		options             Options
		want                string
	}{
		{"plain", "a.csv", "a,b\n1,x\n2,\n", Options{}, `["a" "b"] 2:<1><x> 3:<2><>`},
		{"no end of the last line", "a.csv", "a,b\n1,x", Options{}, `["a" "b"] 2:<1><x>`},
		{"Windows", "a.csv", "\xEF\xBB\xBFa,b\r\n1,\"x\r\ny\"\r\n2,z\r\n", Options{}, "[\"a\" \"b\"] 2:<1><x\r\ny> 4:<2><z>"},
		{"quotes", "a.csv", "a,b\n\"\",\"x, \"\"y\"\"\"\n5\" disk,it's \"so\"\n", Options{}, `["a" "b"] 2:<><x, "y"> 3:<5" disk><it's "so">`},
		{"semicolons", "a.csv", "a;b,c;d\n1,5;x;\n", Options{}, `["a" "b,c" "d"] 2:<1,5><x><>`},
		{"a separator in the header's quotes", "a.csv", "\"a;b;c\",d\n1,x\n", Options{}, `["a;b;c" "d"] 2:<1><x>`},
		{"no header", "a.csv", "\n1,x\n2,y\n", Options{NoHeader: true}, `["1" "2"] 1:<1><x> 3:<2><y>`},
		{"empty lines", "a.csv", "a,b\n\n\r\n1,x\n", Options{}, `["a" "b"] 4:<1><x>`},
		{"too few and too many cells", "a.csv", "a,b\n1\n1,2,3\n4,5\n", Options{},
			`["a" "b"] !2: the row has 1 cells, want 2 as the first row has !3: the row has 3 cells, want 2 as the first row has 4:<4><5>`},
		{"behind a quote", "a.csv", "a,b\n\"x\"y,2\n3,4\n", Options{}, `["a" "b"] !2: cell 1 goes on after its closing quote: want "" for a quote inside 3:<3><4>`},
		{"a quote that is not closed", "a.csv", "a,b\n1,2\n3,\"x\n4,5\n", Options{}, `["a" "b"] 2:<1><2> !3: cell 2 begins with a quote on line 3 that is never closed`},
		{"Latin-1 unasked", "a.csv", "a,b\n1,caf\xe9\n2,x\n", Options{}, `["a" "b"] !2: the row is not UTF-8: want encoding latin-1, windows-1252 or whatever it is in 3:<2><x>`},
		{"Latin-1", "a.csv", "a,b\n1,caf\xe9\n", Options{Encoding: "latin-1"}, `["a" "b"] 2:<1><café>`},
		{"windows-1252", "a.csv", "a\n\x80\n", Options{Encoding: "Windows-1252"}, `["a"] 2:<€>`},
		{"a mark before the encoding", "a.csv", "\xEF\xBB\xBFa\né\n", Options{Encoding: "latin-1"}, `["a"] 2:<é>`},
		{"UTF-16", "a.csv", utf16("\xFF\xFE", "a,b\n1,é\n", false), Options{}, `["a" "b"] 2:<1><é>`},
		{"UTF-16, big end first", "a.tsv", utf16("\xFE\xFF", "a\tb\n1\té\n", true), Options{}, `["a" "b"] 2:<1><é>`},
		{"UTF-16 without a mark", "a.csv", utf16("", "a,b\n", false), Options{}, `FILE: the text looks like UTF-16 without a byte order mark: want encoding utf-16le or utf-16be`},
		{"UTF-16 without a mark, named", "a.csv", utf16("", "a,b\n1,é\n", false), Options{Encoding: "utf-16le"}, `["a" "b"] 2:<1><é>`},
		{"an encoding that is none", "a.csv", "a\n", Options{Encoding: "klingon"}, `FILE: encoding is "klingon", want utf-8, utf-16, utf-16le, utf-16be, latin-1 or windows-1252`},
		{"empty", "a.csv", "", Options{}, `FILE: the table is empty`},
		{"two columns of one name", "a.csv", "a,a\n", Options{}, `FILE: two columns are called "a"`},
		{"TSV", "a.tsv", "a\tb\n\"x \"\"y\"\"\"\t\"he\" said\n", Options{}, `["a" "b"] 2:<x "y"><"he" said>`},
		{"the separator named by Excel", "a.csv", "\xEF\xBB\xBFsep=|\r\na;1|b\r\n1|x\r\n", Options{}, `["a;1" "b"] 3:<1><x>`},
		{"carriage returns alone", "a.csv", "a,b\r1,x\r2,y\r", Options{}, `FILE: the lines end with carriage returns alone: tr '\r' '\n' makes line feeds of them`},
		{"one key twice", "a.jsonl", `{"a":1,"a":2}`, Options{}, `FILE: two columns are called "a"`},
		{"one key twice, later", "a.jsonl", "{\"a\":1}\n{\"a\":1,\"a\":2}", Options{}, `["a"] 1:<1> 2:<2>`},
		{"an array of JSON", "a.jsonl", "[{\"a\":1}]", Options{}, `FILE: line 1: want an object of JSON in braces on each line (jq -c makes a line of each object of other JSON)`},
		{"compressed", "a.csv.gz", "a,b\n1,x\n", Options{}, `["a" "b"] 2:<1><x>`},
		{"compressed by zstd", "a.jsonl.zst", `{"a":1}`, Options{}, `["a"] 1:<1>`},
		{"JSON", "a.jsonl", "{\"a\": \"x\\n\\u00e9\", \"b\": [1, {\"}\": \"]\\\"\"}]}\n\n{ \"b\" : null,\"c\":1 , \"a\":true}\n{}\n", Options{},
			"[\"a\" \"b\"] 1:<x\né><[1, {\"}\": \"]\\\"\"}]> 3:<true>- 4:--"},
		{"not JSON", "a.jsonl", "{\"a\":1}\n{\"a\":}\n[1]\n{\"a\":\"\xe9\"}\n{\"a\":2}\n", Options{},
			`["a"] 1:<1> !2: not JSON: invalid character '}' looking for beginning of value !3: want an object of JSON in braces on each line !4: the line is not UTF-8, as JSON must be 5:<2>`},
		{"Parquet that is none", "a.parquet", "PK\x03\x04 and so on", Options{}, `FILE: not a Parquet file: it begins with "PK\x03\x04", want "PAR1"`},
		{"Parquet compressed once more", "a.parquet.gz", "PAR1", Options{}, `FILE: Parquet is compressed within, want the file without .gz`},
		{"no table", "a.txt", "a", Options{}, `FILE: not a table by its name, want one that ends in .csv, .tsv, .jsonl, .ndjson, .parquet, and .gz or .zst after it if it is compressed`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := rows(write(t, test.file, test.content), test.options); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestWriteBack: rows come back as they were, with columns added.
func TestWriteBack(t *testing.T) {
	for file, test := range map[string][2]string{
		"a.csv":   {"a;b\n\"x;\"\"1\"\"\";\"two\nlines\"\n3;4\n", "a;b;class;p\n\"x;\"\"1\"\"\";\"two\nlines\";\"o;k\";0.5\n3;4;\"o;k\";0.5\n"},
		"b.csv":   {"class\n1\n", "class,predicted_class,p\n1,o;k,0.5\n"},
		"a.tsv":   {"a\tb\n1\t2\n", "a\tb\tclass\tp\n1\t2\to;k\t0.5\n"},
		"a.jsonl": {"{\"a\": {\"b\": \"}\"} }\n{}\n", "{\"a\": {\"b\": \"}\"}, \"class\": \"o;k\", \"p\": 0.5}\n{\"class\": \"o;k\", \"p\": 0.5}\n"},
	} {
		r, err := Open(write(t, file, test[0]), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var b bytes.Buffer
		w, err := r.NewWriter(&b, "class", "p")
		for err == nil {
			var row Row
			if row, err = r.Next(); err == nil {
				err = w.Write(row, "o;k", 0.5)
			}
		}
		if err != io.EOF || b.String() != test[1] {
			t.Errorf("%s: %v\n%s\nwant\n%s", file, err, b.String(), test[1])
		}
	}
}

// TestParquet: rows of Parquet have numbers, come back as CSV, and columns that are not
// read are named.
func TestParquet(t *testing.T) {
	r, err := Open("../../format/parquet/testdata/snappy.parquet", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Column("deep"); err == nil || !strings.Contains(err.Error(), `snappy.parquet: column "deep" holds lists in lists, want one of texts, numbers or lists of them: id, `) {
		t.Error(err)
	}
	var b bytes.Buffer
	w, err := r.NewWriter(&b, "class", "text")
	n := 0
	for err == nil {
		var row Row
		if row, err = r.Next(); err == nil {
			n++
			if row.Line != n || string(row.Cells[2]) != fmt.Sprintf("text %d", n-1) || (row.Cells[4] == nil) != (n%5 == 1) {
				t.Errorf("row %d: %+v", n, row)
			}
			err = w.Write(row, "o,k", nil)
		}
	}
	lines := strings.Split(b.String(), "\n")
	if err != io.EOF || len(lines) != 32 || lines[0] != "id,big,text,plain,color,flag,x,y,u,when,price,data,values,words,user.name,user.age,class,predicted_text" ||
		lines[6] != `2,25000000000,text 5,é 5,,false,1.25,,4,1970-01-01T05:00:00.000005Z,0.15,Bf8=,[5],"[""w\""0""]",u1,,"o,k",` {
		t.Errorf("%d lines, %v\n%s", len(lines), err, b.String())
	}
}

func FuzzRows(f *testing.F) {
	f.Add("a,b\n\"x\n\"\"y\",2\n", 0)
	f.Add("a\tb\n\"\t\"\n", 1)
	f.Add(`{"a":[{"b":"\""}],"c" : 1}`, 2)
	f.Fuzz(func(t *testing.T, content string, kind int) {
		name := []string{"a.csv", "a.tsv", "a.jsonl"}[uint(kind)%3]
		rows(write(t, name, content), Options{})
	})
}

// FuzzJSON: an object is one if encoding/json says so, with the same members.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a" : -0.5e+3 , "b":[true,false,null,{}],"c":{"d":[]}}`, `{"a":"x\n\u00E9\"\\/"}`, `{"a":01}`, `{"a":1.}`,
		`{"a":.5}`, `{"a":-}`, `{"a":1e}`, `{"a":tru}`, `{"a":"\x"}`, `{"a":"\u00g0"}`, `{"a":"\u001"}`, "{\"a\":\"\x01\"}", `{"a":1,}`,
		`{"a"}`, `{a:1}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":1} x`, `{"a":"`, `{"a":"\`, `{`, `{"a":[`, `{"a":{"b"`, `{"a":1}{}`, "{\"a\":\r\n1}",
		`{"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`, `{"a":` + strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999) + `}`,
		`{"a":"\u\u\u0010"}`, `{"a":0}`, `{"a":-0}`, `{"a":1E5}`, `{"":""}`, `{"a":"\u0010\u0011"}`, "{\"a\":\"\u0019\"}", `{"a":truefalse}`, `{"a":10.250}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
			return
		}
		got := map[string]string{}
		err := eachMember(line, func(key, value []byte) error {
			got[string(key)] = string(value)
			return nil
		})
		if valid := json.Valid(line); valid != (err == nil) {
			t.Fatalf("%q: %v, want valid %v", line, err, valid)
		}
		if err != nil {
			return
		}
		for key, value := range got {
			if !json.Valid([]byte(key)) || !json.Valid([]byte(value)) {
				t.Errorf("%q has the member %q: %q", line, key, value)
			}
		}
	})
}

func benchmarkRows(b *testing.B, name string, row string) {
	var text strings.Builder
	text.WriteString("id,label,text\n")
	if strings.HasSuffix(name, "jsonl") {
		text.Reset()
	}
	for i := range 200_000 {
		fmt.Fprintf(&text, row, i, i%7)
	}
	path := write(b, name, text.String())
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		r.Close()
		if err != io.EOF {
			b.Fatal(err)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	benchmarkRows(b, "a.csv", "%d,class %d,\"A text, such as people write it, with \"\"quotes\"\" and commas: rather short, and some two hundred bytes long when all is said and done, which is what reviews and messages have.\"\n")
}

func BenchmarkJSONLines(b *testing.B) {
	benchmarkRows(b, "a.jsonl", "{\"id\": %d, \"label\": \"class %d\", \"text\": \"A text, such as people write it, with \\\"quotes\\\" and commas: rather short, and some two hundred bytes long when all is said and done, which is what reviews and messages have.\"}\n")
}
