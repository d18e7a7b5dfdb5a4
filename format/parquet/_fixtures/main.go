// Command fixtures writes the files in testdata with parquet-go, which knows nothing
// of our reader. What row i holds is said once more in parquet_test.go.
//
//	go run .
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

type user struct {
	Name string `parquet:"name"`
	Age  *int32 `parquet:"age"`
}

type deep struct {
	A []int32 `parquet:"a,list"`
}

type row struct {
	ID     int32     `parquet:"id,delta"`
	Big    int64     `parquet:"big,delta"`
	Text   string    `parquet:"text,delta"`
	Plain  string    `parquet:"plain"`
	Color  *string   `parquet:"color,dict"`
	Flag   bool      `parquet:"flag"`
	X      float32   `parquet:"x,split"`
	Y      *float64  `parquet:"y"`
	U      uint32    `parquet:"u"`
	When   time.Time `parquet:"when,timestamp(microsecond)"`
	Price  int64     `parquet:"price,decimal(2:18)"`
	Data   []byte    `parquet:"data"`
	Values []float32 `parquet:"values,list"`
	Words  []string  `parquet:"words,list,dict"`
	User   user      `parquet:"user"`
	Deep   []deep    `parquet:"deep"`
}

func ptr[T any](x T) *T { return &x }

func rowOf(i int) row {
	r := row{
		ID: int32(i - 3), Big: int64(i*i) * 1e9, Text: fmt.Sprintf("text %d", i), Plain: fmt.Sprintf("é %d", i), Flag: i%3 == 1,
		X: float32(i) / 4, U: uint32(i) - 1, When: time.UnixMicro(int64(i) * 3_600_000_001).UTC(), Price: int64(i*7 - 20),
		Data: []byte{byte(i), 0xff}, User: user{Name: fmt.Sprint("u", i%2)}, Deep: []deep{{[]int32{1}}},
	}
	if i%5 > 0 {
		r.Color = ptr([]string{"red", "green", "blue"}[i%3])
		r.Y = ptr(-float64(i) / 8)
		r.User.Age = ptr(int32(i))
	}
	for k := range i % 4 {
		r.Values = append(r.Values, float32(i)+float32(k)/2)
		r.Words = append(r.Words, fmt.Sprintf("w\"%d", k))
	}
	return r
}

func main() {
	for _, f := range []struct {
		name    string
		codec   compress.Codec
		version int
	}{
		{"plain", &parquet.Uncompressed, 1}, {"snappy", &parquet.Snappy, 2}, {"gzip", &parquet.Gzip, 1},
		{"zstd", &parquet.Zstd, 2}, {"lz4", &parquet.Lz4Raw, 1}, {"brotli", &parquet.Brotli, 2},
	} {
		out, err := os.Create("../testdata/" + f.name + ".parquet")
		if err != nil {
			log.Fatal(err)
		}
		w := parquet.NewGenericWriter[row](out, parquet.Compression(f.codec), parquet.DataPageVersion(f.version),
			parquet.PageBufferSize(200), parquet.MaxRowsPerRowGroup(20), parquet.DataPageStatistics(false))
		for i := range 30 {
			if _, err := w.Write([]row{rowOf(i)}); err != nil {
				log.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			log.Fatal(err)
		}
		if err := out.Close(); err != nil {
			log.Fatal(err)
		}
	}
}
