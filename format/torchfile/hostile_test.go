package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

func checkError(t *testing.T, data []byte, want string) {
	t.Helper()
	_, err := Parse(data)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if err != nil && len(err.Error()) > 3000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// TestRefusesCode opens files that would run code in Python.
func TestRefusesCode(t *testing.T) {
	for _, name := range []string{
		"os.system", "posix.system", "nt.system", "subprocess.Popen", "subprocess.check_output", "pty.spawn",
		"builtins.eval", "builtins.exec", "builtins.setattr", "builtins.__import__", "builtins.open", "builtins.compile",
		"__builtin__.eval", "__builtin__.execfile", "__builtin__.apply", "builtins.object", "builtins.type", "builtins.map",
		"runpy._run_code", "importlib.import_module", "operator.attrgetter", "functools.partial", "types.FunctionType",
		"marshal.loads", "pickle.loads", "_pickle.loads", "copyreg._reconstructor", "socket.socket", "webbrowser.open",
		"torch.load", "torch.hub.load", "torch.storage._load_from_bytes", "torch.nn.modules.linear.Linear", "torch.jit.load",
		"torch._utils._rebuild_tensor", "numpy.load", "numpy.testing._private.utils.runstring", "numpy.core.multiarray.fromfile",
		"_codecs.decode", "codecs.encode", "argparse.FileType", "argparse.ArgumentParser", "collections.OrderedDict.fromkeys",
		"fairseq.tasks.language_modeling.LanguageModelingTask", "fairseq.meters.os", "fairseq.meters.AverageMeter.update", "", "a",
	} {
		dot := strings.LastIndex(name, ".")
		module, attribute := name[:max(dot, 0)], name[dot+1:]
		want := fmt.Sprintf("wants %q, which is not on the list", module+"."+attribute)
		payload := tuple(str("echo owned"))
		global := "c" + module + "\n" + attribute + "\n"
		pickles := []string{
			proto(global, payload, "R"),
			proto(global, ")\x81}", "b"),
			proto("\x8c", string(rune(len(module))), module, "\x8c", string(rune(len(attribute))), attribute, "\x93", payload, "R"),
			proto("}(", str("a"), "](", global, payload, "Reu"),
		}
		for _, p := range pickles {
			checkError(t, archive(p), want)
			checkError(t, legacy(p), want)
			checkError(t, []byte(p), want) // where torch's magic number should be
		}
	}
	for op, p := range map[string]string{
		"INST":      "(" + str("echo owned") + "ios\nsystem\n",
		"OBJ":       "(" + str("echo owned") + "o",
		"EXT1":      "\x82\x01)R",
		"EXT4":      "\x84\x01\x00\x00\x00)R",
		"PERSID":    "P0\n",
		"NEWOBJ_EX": "cargparse\nNamespace\n)}\x92",
	} {
		checkError(t, archive(proto(p)), op+" at byte ")
		checkError(t, archive(proto(p)), "torch writes no such opcode here")
	}
}

// TestKnownClassesCannotBeMisused calls what is on the list in wrong ways.
func TestKnownClassesCannotBeMisused(t *testing.T) {
	const namespace, dtype, scalar = "cargparse\nNamespace\n", "cnumpy\ndtype\n", "cnumpy.core.multiarray\nscalar\n"
	f8 := dtype + tuple(str("f8"), "\x89\x88") + "R"
	array := "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
	for _, c := range []struct{ p, want string }{
		{namespace + ")R", "argparse.Namespace is not called"},
		{namespace + "K\x01\x85\x81", "an empty tuple"},
		{namespace + ")\x81]b", "the state is list, want dict"},
		{namespace + ")\x81}b}b", "has a state already"},
		{namespace + ")\x81}K\x01NsbN", "STOP at byte"},
		{namespace + ")\x81}K\x01Nsb", "an attribute called 1"},
		{"c__builtin__\ngetattr\n" + tuple("ctorch\nSize\n", str("mro")) + "R", "only members of enumerations are read"},
		{"cbuiltins\nint\n)R", "builtins.int is not called"},
		{"cfairseq.dataclass.configs\nCommonConfig\n)\x81", "not created so"},
		{"ccollections\nOrderedDict\n)\x81", "not created so"},
		{"ccollections\nOrderedDict\n](K\x01eR", "want a class and a tuple"},
		{"ccollections\nOrderedDict\nK\x01\x85R", "the argument is int, want list"},
		{"ccollections\nOrderedDict\n](K\x01K\x02\x86K\x01\x85e\x85R", "wants pairs"},
		{"ccollections\nOrderedDict\n](]K\x02\x86e\x85R", "wants pairs"},
		{"}" + str("a") + "ccollections\nOrderedDict\ns", "class collections.OrderedDict is not a value"},
		{"}}b", "dict takes no state"},
		{"c__builtin__\ndict\n]\x85R", "has 1 arguments, want 0 to 0"},
		{"c__builtin__\nset\n))\x86R", "has 2 arguments, want 0 to 1"},
		{"c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R", "argument 1 is int, want bytes"},
		{"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R", "argument 1 is int, want bytes"},
		{"c_codecs\nencode\n" + str("a") + str("rot13") + "\x86R", `wants str and "latin1"`},
		{"c_codecs\nencode\n" + str("Ā") + str("latin1") + "\x86R", "stands for no byte"},
		{"ctorch\nSize\nK\x01\x85R", "argument 1 is int, want tuple"},
		{"ctorch\ndevice\n" + str(strings.Repeat("x", 33)) + "\x85R", "a device name of 33 bytes"},
		{"ctorch\nfloat32\n)R", "want a class and a tuple"},
		{"ctorch\nFloatStorage\n)R", "is not called"},
		{"ctorch\nFloatStorage\n", "class torch.FloatStorage is not a value"},
		{dtype + tuple(str("O8"), "\x89\x88") + "R", `"O8" elements are not read`},
		{f8, "is not a value that is read or written"},
		{f8 + tuple("K\x03", str(">"), "NNN") + "b", `byte order ">", want "<"`},
		{f8 + tuple("K\x03", str("<"), "N]N") + "b", "not that of a number"},
		{scalar + f8 + "C\x07aaaaaaa\x86R", "7 bytes for one f8"},
		{scalar + "NC\x08aaaaaaaa\x86R", "argument 1 is None, want numpy.dtype"},
		{array, "a numpy.ndarray without data"},
		{"cnumpy.core.multiarray\n_reconstruct\nctorch\nSize\n\x85R", "makes a torch.Size"},
		{array + tuple("K\x01", "K\x02\x85", f8, "\x89", "C\x08aaaaaaaa") + "b", "shape [2] is 2 elements, but the storage holds 1"},
		{array + tuple("K\x01", "K\x00\x85", f8, "\x89", "C\x08aaaaaaaa") + "b", "1 elements for an array of shape [0]"},
		{array + tuple("K\x01", "K\x01\x85", f8, "\x89", "C\x07aaaaaaa") + "b", "7 bytes of f8"},
		{array + tuple("K\x01", tuple(integer(-1)), f8, "\x89", "C\x00") + "b", "no negative number"},
		{array + tuple("K\x01", tuple(integer(1<<40), integer(1<<40)), f8, "\x89", "C\x00") + "b", "overflow"},
		{array + tuple("K\x01", "K\x01\x85", f8, "\x89", "]") + "b", "the data of an array is list"},
	} {
		checkError(t, archive(proto(c.p)), c.want)
	}
}

func TestRefusesMalformedPickles(t *testing.T) {
	for _, c := range []struct{ p, want string }{
		{"", "no pickle of protocol 2 to 5 begins at byte 0"},
		{"\x80\x01N.", "no pickle of protocol"},
		{"\x80\x06N.", "no pickle of protocol"},
		{"(dp0\n.", "no pickle of protocol"},
		{"\x80\x02", "ends at byte 2 without STOP"},
		{proto(""), "STOP at byte 2: 0 values and 0 marks"},
		{proto("NN"), "2 values"},
		{proto("(N"), "1 marks"},
		{proto("N") + "x", "1 bytes follow the pickle's end at byte 4"},
		{proto("\xff"), "byte 2: 0xff is not a pickle opcode"},
		{proto("\x80\x02N"), "PROTO at byte 2: torch writes no such opcode here"},
		{proto("t"), "TUPLE at byte 2: needs a mark"},
		{proto("\x85"), "TUPLE1 at byte 2: needs 1 values on the stack, finds 0"},
		{proto("N(\x86"), "needs 2 values on the stack, finds 0"},
		{proto("](a"), "APPEND at byte 4: needs 1 values"},
		{proto("}Na"), "finds dict, want list"},
		{proto("](e(a"), "needs 1 values"},
		{proto("Ne"), "needs a mark"},
		{proto("(Ne"), "needs list on the stack"},
		{proto("}(Nu"), "finds 1 keys and values, want an even number"},
		{proto("}NNs"), "a dict key is None, want str or int"},
		{proto("}]Ns"), "a dict key is list"},
		{proto("]NNs"), "finds list, want dict"},
		{proto("](N\x90"), "finds list, want set"},
		{proto("q\x00"), "needs a value on the stack"},
		{proto("h\x00"), "nothing was stored as number 0"},
		{proto("j\xff\xff\xff\xff"), "nothing was stored as number 4294967295"},
		{proto("X\x01\x00\x00\x00\xff"), "the string is not UTF-8"},
		{proto("b"), "BUILD at byte 2: needs 1 values"},
		{proto("NNR"), "finds None and None, want a class and a tuple"},
		{proto("NN\x93"), "finds None and None, want str and str"},
		{proto("cno line end"), "GLOBAL at byte 2: no line end"},
		{proto("c" + strings.Repeat("x", 300) + "\n"), "no line end within 256 bytes"},
		{proto("NQ"), "a persistent ID is None, want a tuple"},
		{proto(")Q"), "not that of a storage"},
		{proto(tuple(str("module"), "N") + "Q"), "was a whole module saved?"},
		{proto("\x95\x00\x00\x00\x00\x00\x00\x00\x10N"), "a frame of 1152921504606846976 bytes, 2 are left"},
		{proto("X\xff\xff\xff\xffa"), "needs 4294967295 bytes, 2 are left: is the file truncated?"},
		{proto("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "needs 18446744073709551615 bytes, 1 are left"},
		{proto("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"), "needs 9223372036854775807 bytes, 1 are left"},
		{proto("\x96\x00\x00\x00\x00\x00\x01\x00\x00"), "needs 1099511627776 bytes"},
		{proto("T\xff\xff\xff\xffa"), "needs 4294967295 bytes"},
		{proto("\x8b\xff\xff\xff\x7f"), "needs 2147483647 bytes"},
		{proto("\x8b\x00\x01\x00\x00" + strings.Repeat("\x01", 256)), "an integer of 256 bytes, want at most 255"},
		{proto("]q\x00h\x00a"), "list contains itself"},
		{proto("]q\x00h\x00\x85a"), "list contains itself"},
		{proto("}q\x00", str("a"), "h\x00s"), "dict contains itself"},
		{proto("cargparse\nNamespace\n)\x81q\x00}", str("a"), "h\x00sb"), "contains itself"},
		{proto("ccollections\nOrderedDict\n)Rq\x00}", str("a"), "h\x00sb"), "contains itself"},
		{proto(strings.Repeat("]", 65), "K\x01a", strings.Repeat("a", 64)), "nested more than 64 deep"},
	} {
		checkError(t, archive(c.p), c.want)
	}
}

func TestRefusesTensorsBeyondTheirStorage(t *testing.T) {
	const huge = 1<<63 - 1
	four := storage("0", 4)
	for _, c := range []struct {
		p, want string
	}{
		{rebuild(four, 0, []int64{5}, []int64{1}), "shape [5] is 5 elements, but the storage holds 4"},
		{rebuild(four, 1, []int64{4}, []int64{1}), "reach element 4 of a storage of 4"},
		{rebuild(four, 0, []int64{2, 2}, []int64{3, 1}), "reach element 4"},
		{rebuild(four, 0, []int64{2}, []int64{-1}), "no negative number"},
		{rebuild(four, 3, []int64{-2}, []int64{1}), "no negative number"},
		{rebuild(four, -1, []int64{1}, []int64{1}), "offset -1, want 0 to 4"},
		{rebuild(four, 5, []int64{0}, []int64{1}), "offset 5, want 0 to 4"},
		{rebuild(four, 4, []int64{}, []int64{}), "reach element 4"},
		{rebuild(four, 0, []int64{2}, []int64{}), "1 dimensions and 0 strides"},
		{rebuild(four, 0, make([]int64, 65), make([]int64, 65)), "65 dimensions, want at most 64"},
		{rebuild(four, 0, []int64{1 << 40}, []int64{0}), "clone it before saving"},
		{rebuild(four, 0, []int64{1 << 32, 1 << 32}, []int64{0, 0}), "overflow"},
		{rebuild(four, 0, []int64{2, 2}, []int64{huge, huge}), "overflow"},
		{rebuild(four, 1, []int64{2}, []int64{huge}), "overflow"},
		{rebuild(four, 0, []int64{3}, []int64{1 << 62}), "overflow"},
		{rebuild("N", 0, nil, nil), "argument 1 is None, want storage"},
		{rebuild(storage("1", 4), 0, nil, nil), `the archive has no entry "data/1"`},
		{rebuild(storage("../version", 4), 0, nil, nil), `no entry "data/../version"`},
		{rebuild(storage("0", 5), 0, nil, nil), "has 16 bytes, want 20 for 5 elements of F32"},
		{rebuild(storage("0", 3), 0, nil, nil), "has 16 bytes, want 12"},
		{rebuild(storage("0", -1), 0, nil, nil), "a storage of -1 elements"},
		{rebuild(storage("0", huge), 0, nil, nil), "a storage of 9223372036854775807 elements"},
		{rebuild(storage("0", 1<<40), 0, nil, nil), "want 4398046511104"},
		{"](" + four + tuple(str("storage"), "ctorch\nIntStorage\n", str("0"), str("cpu"), "K\x04") + "Qe", "4 elements of I32 here and 4 of F32 before"},
		{tuple(str("storage"), "ctorch\nSize\n", str("0"), str("cpu"), "K\x04") + "Q", "torch.Size is not a storage class"},
		{tuple(str("storage"), "N", str("0"), str("cpu"), "K\x04") + "Q", "argument 2 is None, want storage class"},
		{four, "storage is not a value"},
	} {
		checkError(t, archive(proto(c.p), "data/0", strings.Repeat("\x00", 16)), c.want)
	}
	named := proto("}(", str("encoder.weight"), rebuild(four, 1, []int64{4}, []int64{1}), "u")
	checkError(t, archive(named, "data/0", strings.Repeat("\x00", 16)), `REDUCE at byte 179 after "encoder.weight": torch._utils._rebuild_tensor_v2: shape`)
	ok := proto(rebuild(four, 4, []int64{0, 3}, []int64{3, 1}))
	if _, err := Parse(archive(ok, "data/0", strings.Repeat("\x00", 16))); err != nil {
		t.Errorf("an empty tensor at the storage's end: %v", err)
	}
}

func TestRefusesBrokenLegacyFiles(t *testing.T) {
	id := func(key, view string) string {
		return tuple(str("storage"), "ctorch\nFloatStorage\n", str(key), str("cpu"), "K\x01", view) + "Q"
	}
	one := rebuild(id("7", "N"), 0, nil, nil)
	content := "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?"
	f, err := Parse(legacy(proto(one), "7", content))
	if err != nil {
		t.Fatal(err)
	}
	if x, err := f.Root().(*Tensor).Float32(); err != nil || x[0] != 1 {
		t.Errorf("read %v, %v", x, err)
	}
	big := strings.Replace(legacyHead, "\x88", "\x89", 1)
	for _, c := range []struct {
		data []byte
		want string
	}{
		{[]byte(proto("M\xe9\x03")), "does not begin with torch's magic number"},
		{[]byte(strings.Replace(legacyHead, "M\xe9\x03", "M\xe8\x03", 1)), "the protocol version is not 1001"},
		{[]byte(big), "not of a little-endian machine"},
		{legacy(proto(rebuild(storage("7", 1), 0, nil, nil))), "has 5 arguments, want 6 to 6"},
		{legacy(proto(rebuild(id("7", tuple("K\x00K\x01")), 0, nil, nil))), "a view of another"},
		{legacy(proto(one)), `storage "7" is missing`},
		{legacy(proto(one), "7", content, "7", content), `storage "7" comes twice`},
		{legacy(proto(one), "8", content), `storage "8" belongs to no tensor`},
		{legacy(proto(one), "7", content+"x"), "1 bytes follow the last storage's end"},
		{legacy(proto(one), "7", "\x02"+content[1:]), "it has 2 elements, want 1"},
		{legacy(proto(one), "7", content[:7]), "its length is cut off"},
		{legacy(proto(one), "7", content[:11]), "it has 4 bytes, 3 are left: is the file truncated?"},
		{[]byte(legacyHead + proto(one) + proto("N")), "the list of storages is None"},
		{[]byte(legacyHead + proto(one) + proto("](Ne")), "the key of a storage is None"},
		{[]byte(legacyHead + proto(one) + proto("](", storage("7", 1), "e")), "a persistent ID is tuple"},
	} {
		checkError(t, c.data, c.want)
	}
}

func TestRefusesBrokenArchives(t *testing.T) {
	named := func(name string) zip.FileHeader { return zip.FileHeader{Name: name} }
	pkl, version := named("a/data.pkl"), named("a/version")
	none := proto("N")
	with := func(h zip.FileHeader, content string) []byte {
		return zipOf(t, pkl, none, version, "3", h, content)
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{zipOf(t), "not a file of torch.save"},
		{zipOf(t, named("data.pkl"), none), "no entry FOLDER/data.pkl"},
		{zipOf(t, named("a/b/data.pkl"), none), "no entry FOLDER/data.pkl"},
		{zipOf(t, pkl, none), "no entry version"},
		{zipOf(t, pkl, none, version, "11"), `format version "11", want 1 to 10`},
		{zipOf(t, pkl, none, version, strings.Repeat("9", 1000)), "want 1 to 10"},
		{zipOf(t, pkl, none, version, "x"), `format version "x"`},
		{with(named("a/byteorder"), "big"), `byte order "big"`},
		{with(named("a/constants.pkl"), none), "a TorchScript archive"},
		{with(named("a/version"), "3"), `entry "a/version": the name comes twice`},
		{with(named("b/data.pkl"), none), `not a name below "a"`},
		{with(named("a/../../etc/passwd"), "x"), "not a name below"},
		{with(named("/etc/passwd"), "x"), "not a name below"},
		{with(named(`a/..\x`), "x"), ""},
		{with(zip.FileHeader{Name: "a/x", Flags: 1}, "x"), "it is encrypted"},
		{with(zip.FileHeader{Name: "a/x", Method: zip.Deflate, UncompressedSize64: 1 << 40}, "x"), "it is compressed (method 8)"},
		{with(zip.FileHeader{Name: "a/x", UncompressedSize64: 1 << 40}, "x"), "compressed"},
		{with(zip.FileHeader{Name: "a/x", UncompressedSize64: 1 << 40, CompressedSize64: 1 << 40}, "x"), "it claims 1099511627776 bytes at"},
		{with(zip.FileHeader{Name: "a/x", UncompressedSize64: 1<<64 - 1, CompressedSize64: 1<<64 - 1}, "x"), "it claims 18446744073709551615 bytes"},
		{with(zip.FileHeader{Name: "a/x", UncompressedSize64: 70, CompressedSize64: 70}, "x"), ""},
		{zipOf(t, zip.FileHeader{Name: "a/data.pkl", CRC32: 1}, none, version, "3"), "the CRC-32 is"},
	} {
		if c.want == "" { // whatever is said, it must not panic
			_, _ = Parse(c.data)
			continue
		}
		checkError(t, c.data, c.want)
	}
}

// TestRefusesOverlappingEntries makes two entries of the list at the archive's
// end point to the same content.
func TestRefusesOverlappingEntries(t *testing.T) {
	data := archive(proto("N"), "data/0", "content", "data/1", "content")
	first := bytes.Index(data, []byte("archive/data/0")) - 30
	last := bytes.LastIndex(data, []byte("archive/data/1")) - 46
	binary.LittleEndian.PutUint32(data[last+42:], uint32(first))
	checkError(t, data, `overlap`)
}

// TestDamagedStorageIsNoticed flips a bit of a storage's content.
func TestDamagedStorageIsNoticed(t *testing.T) {
	data := encode(t, Of([]int{4}, []float32{1, 2, 3, 4}))
	at := bytes.Index(data, []byte{0, 0, 0x80, 0x3f})
	data[at] ^= 1
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.Root().(*Tensor).Float32(); err == nil || !strings.Contains(err.Error(), "archive/data/0: the CRC-32 is") {
			t.Errorf("error %v", err)
		}
	}
}

// TestDamagedFiles cuts files at every byte and flips every bit: a cut is always
// an error, and nothing panics or takes more than a file's size warrants.
func TestDamagedFiles(t *testing.T) {
	for name, data := range small(t) {
		if _, err := Parse(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range data {
			if _, err := Parse(data[:n]); err == nil {
				t.Fatalf("%s: cut to %d of %d bytes it opens", name, n, len(data))
			}
		}
		for i := range 8 * len(data) {
			data[i/8] ^= 1 << (i % 8)
			if f, err := Parse(data); err == nil {
				describe(f.Root())
			}
			data[i/8] ^= 1 << (i % 8)
		}
	}
}

// bombs returns by name operations that try to make the reader use far more than the
// size of the file that they fill.
func bombs(size int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	half := func(s string) string { return strings.Repeat(s, size/len(s)/2) }
	var keys []byte
	for i := range size / 6 {
		keys = append(binary.LittleEndian.AppendUint32(append(keys, 'J'), uint32(i)), 'N')
	}
	laughs := "](K\x01K\x01e"
	for range 60 {
		laughs += "q\x00h\x00\x86"
	}
	const device, float, encode = "ctorch\ndevice\nq\x00", "ctorch\nFloatStorage\n", "c_codecs\nencode\nq\x00"
	dims := "(" + strings.Repeat("K\x01", 64) + "tq\x00"
	tensor := dims + "ctorch._utils\n_rebuild_tensor_v2\nq\x01" + tuple(storage("0", 1), "K\x00h\x00h\x00\x89", hooks) + "q\x02"
	return map[string]string{
		"nested lists":     "]" + half("]") + half("a"),
		"nested tuples":    ")" + fill("\x85"),
		"nested dicts":     strings.Repeat("}K\x01", size/4) + "N" + strings.Repeat("s", size/4),
		"marks":            fill("("),
		"lists":            "(" + fill("]") + "t",
		"dicts":            "(" + fill("}") + "t",
		"sets":             "(" + fill("\x8f") + "t",
		"lists of one":     "(" + fill("]Na") + "t",
		"dicts of one":     "(" + fill("}K\x01Ns") + "t",
		"dict keys":        "}(" + string(keys) + "u",
		"integers":         "(" + fill("K\x01") + "t",
		"big integers":     "(" + fill("\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01") + "t",
		"globals":          "(" + fill("ctorch\nSize\n") + "t",
		"memo":             "(" + fill("]\x94") + "t",
		"memo indices":     "]" + fill("r\xff\xff\xff\xff"),
		"memo of one":      "(" + fill("]q\x00") + "t",
		"namespaces":       "(cargparse\nNamespace\nq\x00)\x81" + fill("h\x00)\x81") + "t",
		"shared tuples":    laughs,
		"shared list":      "(](" + half("K\x01") + "eq\x00" + half("h\x00") + "t",
		"ordered dicts":    "(ccollections\nOrderedDict\nq\x00)R" + fill("h\x00)R") + "t",
		"encoded strings":  "(" + encode + str(half("é")) + str("latin1") + "\x86q\x01R" + half("h\x00h\x01R") + "t",
		"copies of a list": "(c__builtin__\nlist\nq\x00](" + half("N") + "e\x85q\x01R" + half("h\x00h\x01R") + "t",
		"tensors":          tensor + "(" + fill("h\x01h\x02R") + "t",
		"storages":         tuple(str("storage"), float, str("0"), str("cpu"), "K\x01") + "q\x00(" + fill("h\x00Q") + "t",
		"NumPy types":      "(cnumpy\ndtype\nq\x00" + str("f8") + "\x85q\x01R" + fill("h\x00h\x01R") + "t",
		"devices":          "(" + device + str(strings.Repeat("x", 32)) + "K\x01\x86q\x01R" + fill("h\x00h\x01R") + "t",
	}
}

// TestBombs bounds what the reader allocates in all, which is more than what it
// holds at a time, by 256 bytes a byte of the file.
func TestBombs(t *testing.T) {
	const size = 1 << 18
	for name, p := range bombs(size) {
		for format, data := range map[string][]byte{
			"archive": archive(proto(p), "data/0", "\x00\x00\x00\x00"),
			"legacy":  legacy(proto(p)),
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse(data)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			t.Logf("%s in %s: %d KiB, %v, %.200v", name, format, (after.TotalAlloc-before.TotalAlloc)>>10, took, err)
			if used := after.TotalAlloc - before.TotalAlloc; used > 256*size || took > 10*time.Second {
				t.Errorf("%s in %s: allocated %d KiB in %v", name, format, used>>10, took)
			}
		}
	}
}
