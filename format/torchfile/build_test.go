package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

// archive builds a zip file of data.pkl and further entries, pairs of a name and
// its content.
func archive(pkl string, entries ...string) []byte {
	var buf bytes.Buffer
	a := newArchiveWriter(&buf)
	entries = append([]string{pickleEntry, pkl, versionEntry, formatVersion}, entries...)
	for i := 0; i < len(entries); i += 2 {
		if err := a.add(entries[i], []byte(entries[i+1])); err != nil {
			panic(err)
		}
	}
	if err := a.zip.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// proto makes a pickle of operations, of protocol 2.
func proto(operations ...string) string { return "\x80\x02" + strings.Join(operations, "") + "." }

// legacyHead is what precedes the value in the older format.
var legacyHead = proto("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + proto("M\xe9\x03") +
	proto("}(", str("protocol_version"), "M\xe9\x03", str("little_endian"), "\x88", str("type_sizes"), "}u")

// legacy builds a file of the older format, with storages in pairs of a key and
// the elements' count and bytes.
func legacy(pkl string, storages ...string) []byte {
	keys, data := "", ""
	for i := 0; i < len(storages); i += 2 {
		keys += str(storages[i])
		data += storages[i+1]
	}
	return []byte(legacyHead + pkl + proto("](", keys, "e") + data)
}

// str, integer and tuple are the pieces that pickles are made of.
func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func integer(v int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func tuple(items ...string) string { return "(" + strings.Join(items, "") + "t" }

// storage is the persistent ID of a float32 storage.
func storage(key string, elements int64) string {
	return tuple(str("storage"), "ctorch\nFloatStorage\n", str(key), str("cpu"), integer(elements)) + "Q"
}

const hooks = "ccollections\nOrderedDict\n)R"

// rebuild is the call that makes a tensor.
func rebuild(storage string, offset int64, shape, stride []int64) string {
	ints := func(v []int64) string {
		out := "("
		for _, n := range v {
			out += integer(n)
		}
		return out + "t"
	}
	return "ctorch._utils\n_rebuild_tensor_v2\n" + tuple(storage, integer(offset), ints(shape), ints(stride), "\x89", hooks) + "R"
}

// zipOf builds an archive of headers as they are, with their content.
func zipOf(t *testing.T, entries ...any) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := 0; i < len(entries); i += 2 {
		h, content := entries[i].(zip.FileHeader), entries[i+1].(string)
		if h.CRC32 == 0 {
			h.CRC32 = crc32.ChecksumIEEE([]byte(content))
		}
		if h.UncompressedSize64 == 0 {
			h.UncompressedSize64 = uint64(len(content))
		}
		if h.CompressedSize64 == 0 {
			h.CompressedSize64 = uint64(len(content))
		}
		f, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// small returns a small file of each format.
func small(t testing.TB) map[string][]byte {
	t.Helper()
	value := dict("args", &Namespace{dict("lr", list(0.1), "arch", "mega")}, "model", ordered("w", Of([]int{2}, []float32{1, 2})))
	w := rebuild(tuple(str("storage"), "ctorch\nFloatStorage\n", str("7"), str("cpu"), "K\x01N")+"Q", 0, []int64{1}, []int64{1})
	return map[string][]byte{
		"archive": encode(t, value),
		"legacy":  legacy(proto("}(", str("model"), w, str("n"), "K\x01u"), "7", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?"),
	}
}
