package tokenizer

import (
	"archive/zip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// testdata/odd.zip holds 3,000 odd lines (lines.json), tokenizers in the manner
// of well-known ones, and for each a NAME.crc: the low 16 bits of the CRC-32 of
// the ids that Hugging Face's tokenizers 0.23.2 gave each line. Normalisation
// rules, which are large, lie beside the models of package sentencepiece.
func odd(t testing.TB) (tokenizers map[string][]byte, lines []string, sums map[string][]byte) {
	files := unzip(t, "testdata/odd.zip")
	rules := unzip(t, "../sentencepiece/testdata/odd.zip")
	if err := json.Unmarshal(files["lines.json"], &lines); err != nil {
		t.Fatal(err)
	}
	tokenizers, sums = map[string][]byte{}, map[string][]byte{}
	for file, b := range files {
		name, ok := strings.CutSuffix(file, ".json")
		if !ok || name == "lines" {
			continue
		}
		text := string(b)
		for file, rule := range rules {
			if name, ok := strings.CutSuffix(file, ".rules"); ok {
				text = strings.ReplaceAll(text, `"RULES:`+name+`"`, `"`+base64.StdEncoding.EncodeToString(rule)+`"`)
			}
		}
		tokenizers[name], sums[name] = []byte(text), files[name+".crc"]
	}
	return tokenizers, lines, sums
}

func TestOddLines(t *testing.T) {
	tokenizers, lines, sums := odd(t)
	if len(tokenizers) < 10 || len(lines) != 3000 {
		t.Fatalf("%d tokenizers, %d lines", len(tokenizers), len(lines))
	}
	for name, b := range tokenizers {
		t.Run(name, func(t *testing.T) { sameIDs(t, b, lines, sums[name]) })
	}
}

// sameIDs checks the checksums of the ids of lines.
func sameIDs(t *testing.T, file []byte, lines []string, sums []byte) {
	tok, err := Parse(file, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, line := range lines {
		ids := tok.AppendIDs(nil, line)
		var b []byte
		var tokens []string
		for _, id := range ids {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
			tokens = append(tokens, tok.Token(id))
		}
		if uint16(crc32.ChecksumIEEE(b)) == binary.LittleEndian.Uint16(sums[2*i:]) {
			continue
		}
		if wrong++; wrong < 4 {
			t.Errorf("line %d, %q: %v %q", i+1, line, ids, tokens)
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d lines are wrong", wrong, len(lines))
	}
}

func unzip(t testing.TB, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return files
}

// decode returns the text of tokens.
func decode(t *Tokenizer, ids []int) string {
	var text []byte
	for i, id := range ids {
		text = t.AppendText(text, id, i == 0)
	}
	return string(text)
}

// TestRandomBytes: tokenizers of bytes lose nothing, UTF-8 or not.
func TestRandomBytes(t *testing.T) {
	tokenizers, lines, _ := odd(t)
	random := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 1_000_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, name := range []string{"gpt2", "llama3"} {
		tok, err := Parse(tokenizers[name], name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append(lines, string(noise)) {
			if got := decode(tok, tok.AppendIDs(nil, text)); got != text {
				t.Fatalf("%s: %.60q came back as %.60q", name, text, got)
			}
		}
	}
}

// TestPrefix: the space that is put before a text is taken away again.
func TestPrefix(t *testing.T) {
	tokenizers, _, _ := odd(t)
	for _, name := range []string{"llama2", "t5", "roberta", "unigram-bytes"} {
		tok, err := Parse(tokenizers[name], name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"package json", "x", "a <mask>b"} {
			if got := decode(tok, tok.AppendIDs(nil, text)); got != text && !(name == "roberta" && text == "a <mask>b") { // takes the space before it
				t.Errorf("%s: %q came back as %q", name, text, got)
			}
		}
	}
}

// TestLongWord: time grows with n log n, not with n².
func TestLongWord(t *testing.T) {
	tokenizers, _, _ := odd(t)
	for name, b := range tokenizers {
		tok, err := Parse(b, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range []string{"a", " ", "é", "\xff", "▁"} {
			tok.AppendIDs(nil, strings.Repeat(unit, 20_000))
		}
	}
}

func TestParseErrors(t *testing.T) {
	bpe := func(rest string) string { return `{"model":{"type":"BPE","vocab":{"a":0,"b":1}` + rest }
	for text, want := range map[string]string{
		``:                               "unexpected end of JSON",
		`[]`:                             "cannot unmarshal array",
		`{}`:                             "no model",
		`{"model":{"type":"WordPiece"}}`: `model: type "WordPiece" is unknown, want BPE or Unigram`,
		`{"model":{"type":"Unigram","vocab":[]}}`:                                                      "vocabulary is empty",
		`{"model":{"type":"Unigram","vocab":[["a","b"]]}}`:                                             "vocab: 0:",
		`{"model":{"type":"Unigram","unk_id":7,"vocab":[["a",0]]}}`:                                    "unk_id is 7, and there are 1 tokens",
		bpe(`,"unk_token":"u"}}`):                                                                      `unk_token "u" is not in the vocabulary`,
		bpe(`,"merges":["ab"]}}`):                                                                      `merges: 0: "ab" is no pair`,
		bpe(`,"merges":["a b"]}}`):                                                                     `merges: 0: "a", "b" or both together are not`,
		bpe(`,"merges":[7]}}`):                                                                         `merges: 0: 7 is no pair`,
		bpe(`},"normalizer":{"type":"Bert"}}`):                                                         `normalizer: type "Bert" is unknown, want`,
		bpe(`},"normalizer":{"type":"Replace","pattern":{}}}`):                                         "pattern: want",
		bpe(`},"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAA="}}`):                    "rules are cut off",
		bpe(`},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"X"}]}}`):                   `pre_tokenizer: 0: type "X" is unknown`,
		bpe(`},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<=a)b"},"behavior":"Isolated"}}`): `regular expression "(?<=a)b"`,
		bpe(`},"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"isolated"}}`):      `behavior is "isolated", want`,
		bpe(`},"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"x"}}`):                            `prepend_scheme is "x", want`,
		bpe(`},"pre_tokenizer":{"type":"Metaspace","replacement":"_"}}`):                               `replacement is "_", want`,
		bpe(`},"added_tokens":[{"id":1,"content":"c"}]}`):                                              `"b" and "c" have the same id 1`,
		bpe(`},"added_tokens":[{"id":1000000000,"content":"c"}]}`):                                     `"c" has the id 1000000000, and there are 3 tokens`,
		bpe(`},"added_tokens":[{"id":2}]}`):                                                            "entry 0 has no content",
	} {
		if _, err := Parse([]byte(text), "f"); err == nil || !strings.HasPrefix(err.Error(), "f: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

// FuzzParse: whatever the tokenizer, no text makes it fail, and all ids are known.
func FuzzParse(f *testing.F) {
	for _, rest := range []string{
		`"BPE","vocab":{"a":0,"b":1,"ab":2,"<0x0A>":3},"merges":["a b"],"unk_token":"a","fuse_unk":true,"end_of_word_suffix":"b"},"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Prepend","prepend":"a"}]},"pre_tokenizer":{"type":"ByteLevel"}}`,
		`"Unigram","unk_id":0,"vocab":[["▁",0],["a",-1.5]]},"pre_tokenizer":{"type":"Metaspace"},"added_tokens":[{"id":2,"content":"_b","lstrip":true,"rstrip":true,"single_word":true}]}`,
		`"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"Precompiled","precompiled_charsmap":"CAAAAAAAAAAAAAAAYQA="},"pre_tokenizer":{"type":"Punctuation","behavior":"MergedWithNext"}}`,
	} {
		f.Add([]byte(`{"model":{"type":`+rest), "a_b  Word\xff ▁ 12 <mask>")
	}
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0}},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"(|b)|\\s+(?!\\S)"}}}`), "a  b c ")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		tok, err := Parse(b, "f")
		if err != nil {
			return
		}
		for _, id := range tok.AppendIDs(nil, text) {
			if tok.Token(id) == "" && id >= tok.Len() {
				t.Errorf("token %d of %d", id, tok.Len())
			}
			tok.AppendText(nil, id, true)
		}
	})
}
