//go:build linux

package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Small models, so that a process takes a few hundredths of a second.
const (
	mutantClassifier = ` --encoder-layers 1 --encoder-embed-dim 8 --encoder-hidden-dim 8 --encoder-ffn-embed-dim 8 --z-dim 4 --n-dim 2 --chunk-size 16 --max-update 1 --total-num-update 2 --warmup-updates 1 --update-freq 1 --batch-size 2 --workers 1 `
	mutantPhotos     = ` --preset photos --held-out 0.25 --img-size 16 --patch-size 8 --depth 1 --embed-dim 8 --hidden-dim 8 --ffn-hidden-dim 8 --zdim 4 --ndim 2 --max-update 1 --max-epoch 1 --warmup-epochs 0 --batch-size 2 --workers 1 `
	mutantLanguage   = ` --task language_modeling -a mega_lm --decoder-layers 1 --decoder-embed-dim 8 --decoder-hidden-dim 8 --decoder-ffn-embed-dim 8 --decoder-z-dim 4 --decoder-n-dim 2 --decoder-chunk-size 16 --max-tokens 64 --share-decoder-input-output-embed --lr 0.01 --max-update 2 --workers 1 `
	mutantTranslator = ` -a mega_wmt_en_de --share-all-embeddings --encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 8 --decoder-embed-dim 8 --encoder-hidden-dim 8 --decoder-hidden-dim 8 --encoder-ffn-embed-dim 8 --decoder-ffn-embed-dim 8 --encoder-z-dim 4 --decoder-z-dim 4 --encoder-n-dim 2 --decoder-n-dim 2 --max-tokens 64 --max-update 1 --lr 0.001 --max-len-b 5 --beam 2 --workers 1 `
)

// at runs command lines in dir, in this process' place.
func at(t *testing.T, dir string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if status, out := runMutant(t, dir, line); status != exitOK {
			t.Fatalf("mega %s: status %d: %s", line, status, out)
		}
	}
}

// put writes a file into dir, with the directories it needs.
func put(t *testing.T, dir, name, text string) { t.Helper(); write(t, filepath.Join(dir, name), text) }

// copyFile copies a file of the repository, named from this package.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
}

func reviews(t *testing.T, dir string) {
	t.Helper()
	for _, split := range []string{"train", "dev", "test"} {
		text := "1\ta good film\n0\ta bad film\n1\tgood\n0\tbad\n"
		put(t, dir, "Tsv/"+split+".tsv", text)
	}
	for i := range 4 {
		put(t, dir, fmt.Sprintf("Reviews/train/neg/%d_1.txt", i), strings.Repeat("a bad film. ", i+1))
		put(t, dir, fmt.Sprintf("Reviews/train/pos/%d_9.txt", i), strings.Repeat("a good film! ", i+1))
		put(t, dir, fmt.Sprintf("Reviews/test/neg/%d_1.txt", i), "bad")
		put(t, dir, fmt.Sprintf("Reviews/test/pos/%d_9.txt", i), "good")
	}
}

// smallClassifier trains one on reviews: Data1, Run1.
func smallClassifier(t *testing.T, dir string) {
	reviews(t, dir)
	at(t, dir, "data imdb Reviews Data1",
		"train Data1 --preset lra-text --save-dir Run1 --max-positions 64"+mutantClassifier)
}

// smallLanguageModel trains one on words: Text1, Data1, Run1.
func smallLanguageModel(t *testing.T, dir string) {
	for _, split := range []string{"train", "valid", "test"} {
		put(t, dir, "Text1/"+split, strings.Repeat("the quick brown fox jumps\nover the lazy dog\n", 8))
	}
	at(t, dir, "preprocess --only-source --trainpref Text1/train --validpref Text1/valid --testpref Text1/test --destdir Data1",
		"train Data1 --save-dir Run1"+mutantLanguage)
}

// small trains one: Data1, Run1.
func smallTranslator(t *testing.T, dir string) {
	at(t, dir, "data numbers Data1 --train 20 --valid 4 --test 3 --max 40",
		"train Data1 -s en -t de --save-dir Run1 --criterion label_smoothed_cross_entropy --label-smoothing 0.1"+strings.ReplaceAll(mutantTranslator, "--max-len-b 5 --beam 2", ""))
	put(t, dir, "in.en", "seven\nforty two\n")
}

func keepOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		keep := false
		for _, name := range names {
			keep = keep || e.Name() == name
		}
		if !keep {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

const best = "Run1/checkpoints/checkpoint_best"

// converted makes a checkpoint of another form from a small classifier.
func converted(to string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		smallClassifier(t, dir)
		at(t, dir, "convert Run1 "+to)
		keepOnly(t, dir, to, "Data1")
	}
}

func classifies(model string) []string {
	return []string{"inspect " + model, "convert " + model + " out.safetensors", "convert " + model + " out.pt",
		"validate Data1 --path " + model, "classify --data Data1 --checkpoint " + model + " --text good"}
}

// mutantTable lists the formats that the command line reads.
var mutantTable = []mutantFormat{
	{"torch", converted("model1.pt"), "model1.pt", classifies("model1.pt")},
	{"torch-legacy", func(t *testing.T, dir string) {
		copyFile(t, "../../format/torchfile/testdata/lra_text_legacy.pt", filepath.Join(dir, "model1.pt"))
	}, "model1.pt", []string{"inspect model1.pt", "convert model1.pt out.safetensors"}},
	{"torch-training", func(t *testing.T, dir string) {
		smallLanguageModel(t, dir)
		at(t, dir, "convert Run1 state1.pt")
		keepOnly(t, dir, "Data1", "state1.pt")
	}, "state1.pt", []string{"train Data1 --save-dir Run2 --restore-file ./state1.pt" + strings.Replace(mutantLanguage, "--max-update 2", "--max-update 3", 1)}},
	{"safetensors", converted("model1.safetensors"), "model1.safetensors", classifies("model1.safetensors")},
	{"native", func(t *testing.T, dir string) {
		smallClassifier(t, dir)
		if err := os.CopyFS(filepath.Join(dir, "Model1"), os.DirFS(filepath.Join(dir, best))); err != nil {
			t.Fatal(err)
		}
		keepOnly(t, dir, "Model1", "Data1")
	}, "Model1/config.json Model1/model.safetensors Model1/state.json", classifies("Model1")},
	{"args", func(t *testing.T, dir string) {
		for _, name := range []string{"args.json", "model.safetensors"} {
			copyFile(t, filepath.Join(golden("lra_text"), name), filepath.Join(dir, "Model1", name))
		}
	}, "Model1/args.json", []string{"inspect Model1", "convert Model1 out.safetensors"}},
	{"run", smallClassifier, "Run1/config.json Run1/metrics.jsonl Run1/checkpoints/*/*", []string{
		"inspect Run1", "plot Run1", "eval --checkpoint Run1", "classify --checkpoint Run1 --text bad",
		"train Data1 --preset lra-text --save-dir Run1 --max-positions 64" + strings.ReplaceAll(mutantClassifier, "--max-update 1", "--max-update 2")}},
	{"session", func(t *testing.T, dir string) {
		smallLanguageModel(t, dir)
		at(t, dir, "generate --checkpoint Run1 --prompt the --max-len-b 4 --save-state book1.state")
	}, "book1.state", []string{"generate --checkpoint Run1 --load-state book1.state --max-len-b 40 --temperature 0",
		"generate --checkpoint Run1 --load-state book1.state --prompt quick --max-len-b 4 --save-state other"}},
	{"huggingface", func(t *testing.T, dir string) {
		smallLanguageModel(t, dir)
		at(t, dir, "train Data1 --save-dir Run2 --no-scale-embedding"+mutantLanguage, "convert Run2 Hub1 --to huggingface", "convert Run2 Hub2 --to huggingface --hf-torch-file")
		keepOnly(t, dir, "Hub1", "Hub2")
	}, "Hub1/* Hub2/*", []string{"inspect Hub1", "inspect Hub2", "convert Hub1 out.pt", "convert Hub2 out.safetensors"}},
	{"archive", func(t *testing.T, dir string) {
		converted("model1.pt")(t, dir)
		models(t, filepath.Join(dir, "models1.zip"), filepath.Join(dir, "model1.pt"))
	}, "models1.zip", []string{"inspect models1.zip", "inspect models1.zip:a/x.pt", "convert models1.zip:a/x.pt out.safetensors"}},
	{"indexed", smallLanguageModel, "Data1/*.idx Data1/*.bin Data1/dict.txt", []string{
		"eval-lm Data1 --path Run1", "train Data1 --save-dir Run2" + mutantLanguage, "score Data1 --path Run1 Text1/test", "generate Data1 --path Run1 --prompt the --max-len-b 3"}},
	{"text", smallLanguageModel, "Text1/*", []string{
		"preprocess --only-source --trainpref Text1/train --validpref Text1/valid --testpref Text1/test --destdir Data2",
		"score --checkpoint Run1 Text1/test", "generate --checkpoint Run1 --prompts Text1/test --max-len-b 2", "generate --checkpoint Run1 --prompt-file Text1/test --max-len-b 2",
		"interactive --checkpoint Run1 --input Text1/test --max-len-b 2",
		"train --save-dir Run2 --text Text1/train" + mutantLanguage}},
	{"pairs", smallTranslator, "Data1/*.idx Data1/*.bin Data1/dict.*.txt", []string{
		"generate Data1 --path Run1 --beam 2 --max-len-b 3", "translate Data1 --checkpoint Run1 --input in.en --beam 2 --max-len-b 3",
		"train Data1 -s en -t de --save-dir Run2 --criterion label_smoothed_cross_entropy" + strings.ReplaceAll(mutantTranslator, "--max-len-b 5 --beam 2", "")}},
	{"subwords", func(t *testing.T, dir string) {
		smallTranslator(t, dir)
		put(t, dir, "codes1", "#version: 0.2\ns e\nse v\nsev en</w>\n")
		copyFile(t, "../../data/sentencepiece/testdata/unigram.model", filepath.Join(dir, "spm1.model"))
		copyFile(t, "../../data/sentencepiece/testdata/bpe.model", filepath.Join(dir, "spm2.model"))
	}, "codes1 spm1.model spm2.model in.en", []string{
		"translate --checkpoint Run1 --input in.en --beam 2 --max-len-b 3 --bpe-codes codes1",
		"translate --checkpoint Run1 --input in.en --beam 2 --max-len-b 3 --sentencepiece-model spm1.model",
		"interactive --path Run1 --input in.en --beam 2 --max-len-b 3 --sentencepiece-model spm2.model"}},
	{"reviews", reviews, "Tsv/* Reviews/*/*/*", []string{"data imdb Tsv Data2", "data imdb Reviews Data2"}},
	{"labelled", smallClassifier, "Data1/*/*", []string{"validate Data1 --path Run1", "classify --checkpoint Run1 --data Data1 --text good",
		"train Data1 --preset lra-text --save-dir Run2 --max-positions 64" + mutantClassifier}},
	{"listops", func(t *testing.T, dir string) {
		for _, split := range []string{"train", "val", "test"} {
			put(t, dir, "ListOps/basic_"+split+".tsv", "Source\tTarget\r\n( ( ( [MAX 2 ) 9 ) ] )\t9\r\n( ( ( [SM 2 ) 9 ) ] )\t1\r\n")
		}
	}, "ListOps/*", []string{"data listops-tsv ListOps Data2"}},
	{"papers", func(t *testing.T, dir string) {
		for _, split := range []string{"train", "eval", "test"} {
			put(t, dir, "Papers/new_aan_pairs."+split+".tsv", "1.0\tP1\tP2\ton attention\ton averages\n0.0\tP1\tP3\ton attention\tbread\n")
		}
	}, "Papers/*", []string{"data aan Papers Data2"}},
	{"cifar", func(t *testing.T, dir string) { copyDistribution(t, "cifar10", filepath.Join(dir, "Cifar")) },
		"Cifar/*/*.bin", []string{"data cifar10 Cifar Data2"}},
	{"pathfinder", func(t *testing.T, dir string) {
		copyDistribution(t, "pathfinder-images", filepath.Join(dir, "Path"))
	}, "Path/*/*/imgs/0/* Path/*/*/metadata/*", []string{"data pathfinder-images Path Data2 --size 8"}},
	{"pixels", pictures, "Data1/*/* Photos/*", []string{
		"validate Data1 --path Run1", "classify --checkpoint Run1 Photos/a.png", "classify --checkpoint Run1 Photos/b.jpg",
		"train Data1 --preset lra-pathfinder --save-dir Run2" + mutantClassifier}},
	{"photos", photoFiles, "Photos1/*/*", []string{
		"eval Photos1 --checkpoint Run1", "classify --checkpoint Run1 Photos1", "classify --checkpoint Run1 --sheet out.png Photos1/red/0.webp Photos1/blue/1.gif",
		"train Photos1 --save-dir Run2" + mutantPhotos}},
	{"sound-folders", func(t *testing.T, dir string) {
		copyDistribution(t, "speech", filepath.Join(dir, "Words"))
		for _, word := range []string{"yes", "no"} {
			if err := os.CopyFS(filepath.Join(dir, "Words1", word), os.DirFS(filepath.Join(dir, "Words", word))); err != nil {
				t.Fatal(err)
			}
		}
		os.RemoveAll(filepath.Join(dir, "Words"))
		at(t, dir, "train Words1 --save-dir Run1 --held-out 0.2,0.2"+mutantClassifier)
	}, "Words1/*/*", labelledUses("Words1")},
	{"recordings", func(t *testing.T, dir string) { copyDistribution(t, "speech", filepath.Join(dir, "Words")) },
		"Words/*/* Words/*.txt", []string{"data speech Words Data2 --sc-length 200"}},
	{"speech", func(t *testing.T, dir string) {
		copyDistribution(t, "speech", filepath.Join(dir, "Words"))
		at(t, dir, "data speech Words Data1 --sc-length 1000",
			"train Data1 --preset sc-raw --sc-length 1000 --save-dir Run1"+mutantClassifier)
		copyFile(t, filepath.Join(dir, "Words/yes/v0_nohash_0.wav"), filepath.Join(dir, "yes1.wav"))
		os.RemoveAll(filepath.Join(dir, "Words"))
	}, "Data1/*/*/* yes1.wav", []string{"validate Data1 --path Run1", "classify --checkpoint Run1 yes1.wav", "classify --checkpoint Run1 --stream yes1.wav"}},
	{"json-lines", func(t *testing.T, dir string) {
		smallClassifier(t, dir)
		put(t, dir, "in1.jsonl", `{"id": 7, "text": "good"}`+"\n"+`{"text": "bad", "id": "x"}`+"\n"+`{"file": "note.txt"}`+"\n")
		put(t, dir, "note.txt", "good\n")
	}, "in1.jsonl", []string{"classify --checkpoint Run1 in1.jsonl", "classify --checkpoint Run1 --json in1.jsonl"}},
	{"inputs", func(t *testing.T, dir string) {
		copyFile(t, filepath.Join(golden("lra_text"), "golden.safetensors"), filepath.Join(dir, "in1.safetensors"))
		for _, name := range []string{"args.json", "model.safetensors"} {
			copyFile(t, filepath.Join(golden("lra_text"), name), filepath.Join(dir, "Model1", name))
		}
	}, "in1.safetensors", []string{"forward --checkpoint Model1 --input in1.safetensors --prefix b0. --output out.safetensors"}},
	{"translations", func(t *testing.T, dir string) {
		put(t, dir, "sys1", "a b c d e\nf g h i\n")
		put(t, dir, "ref1", "a b c d e\nF g h i\n")
	}, "sys1 ref1", []string{"score --sys sys1 --ref ref1", "score --sys sys1 --ref ref1 --sacrebleu", "score --sys sys1 --ref ref1 --sentence-bleu"}},
	{"pieces", func(t *testing.T, dir string) {
		put(t, dir, "Text1/train", strings.Repeat("the quick brown fox jumps\nover the lazy dog\n", 8))
		at(t, dir, "data pieces bpe1.model Text1/train --vocab-size 300", "data pieces unigram1.model Text1/train --vocab-size 300 --model-type unigram")
		put(t, dir, "t1.json", smallTokenizer)
	}, "bpe1.model unigram1.model t1.json", []string{
		"train --save-dir Run2 --text Text1/train --pieces bpe1.model" + mutantLanguage, "train --save-dir Run2 --text Text1/train --pieces unigram1.model" + mutantLanguage,
		"train --save-dir Run2 --text Text1/train --pieces t1.json" + mutantLanguage}},
	{"piece-runs", func(t *testing.T, dir string) {
		put(t, dir, "Text1/train", strings.Repeat("the quick brown fox jumps\nover the lazy dog\n", 8))
		at(t, dir, "data pieces bpe1.model Text1/train --vocab-size 300", "train --save-dir Run1 --text Text1/train --pieces bpe1.model"+mutantLanguage)
	}, "Run1/checkpoints/*/config.json", []string{"score --checkpoint Run1 Text1/train", "generate --checkpoint Run1 --prompt the --max-len-b 3", "eval-lm --checkpoint Run1 --text Text1/train"}},
	{"piece-pairs", func(t *testing.T, dir string) {
		at(t, dir, "data numbers Text1 --train 20 --valid 4 --test 3 --max 40", "data pieces mt1.model Text1/train.en Text1/train.de --vocab-size 300",
			"preprocess -s en -t de --trainpref Text1/train --validpref Text1/valid --testpref Text1/test --destdir Data1 --pieces mt1.model",
			"train Data1 -s en -t de --save-dir Run1 --criterion label_smoothed_cross_entropy"+strings.ReplaceAll(mutantTranslator, "--max-len-b 5 --beam 2", ""))
		put(t, dir, "in.en", "seven\nforty two\n")
	}, "mt1.model Data1/dict.pieces Data1/*.idx Run1/checkpoints/*/config.json", []string{
		"preprocess -s en -t de --trainpref Text1/train --validpref Text1/valid --testpref Text1/test --destdir Data2 --pieces mt1.model",
		"generate Data1 --path Run1 --beam 2 --max-len-b 3", "translate Data1 --checkpoint Run1 --input in.en --beam 2 --max-len-b 3"}},
	{"tables", tables, "in1.csv in1.tsv in1.jsonl in1.csv.gz in1.jsonl.zst", labelledUses("in1.csv", "in1.tsv", "in1.jsonl", "in1.csv.gz", "in1.jsonl.zst")},
	{"parquet", func(t *testing.T, dir string) {
		copyFile(t, "../../format/parquet/testdata/snappy.parquet", filepath.Join(dir, "in1.parquet"))
		copyFile(t, "../../format/parquet/testdata/plain.parquet", filepath.Join(dir, "in2.parquet"))
		at(t, dir, "train in1.parquet --label-column color --save-dir Run1 --held-out 0.2,0.2"+mutantClassifier)
	}, "in1.parquet in2.parquet", []string{"data look in1.parquet --label-column color", "data look in2.parquet --values-column values --label-column color",
		"train in2.parquet --label-column color --save-dir Run2 --held-out 0.2,0.2" + mutantClassifier,
		"eval in1.parquet --checkpoint Run1 --output out.csv", "classify --checkpoint Run1 in2.parquet"}},
	{"arrays", arrays, "x1.npy y1.npy in1.npz", append(labelledUses("in1.npz"), "data look x1.npy --labels y1.npy", "train x1.npy --labels y1.npy --save-dir Run2 --held-out 0.2,0.2"+mutantClassifier)},
	{"folders", func(t *testing.T, dir string) {
		for i := range 20 {
			put(t, dir, fmt.Sprintf("Docs1/%s/%d.txt", []string{"ham", "spam"}[i%2], i), fmt.Sprint("eggs ", i, " and ", []string{"ham", "spam"}[i%2]))
		}
		at(t, dir, "train Docs1 --save-dir Run1 --held-out 0.2,0.2"+mutantClassifier)
	}, "Docs1/*/*", labelledUses("Docs1")},
	{"documents", func(t *testing.T, dir string) {
		for _, class := range []string{"ham", "spam"} {
			for i := range 40 {
				put(t, dir, fmt.Sprintf("Docs/%s/%d.txt", class, i), strings.Repeat(fmt.Sprint(class, " and eggs ", i), 40))
			}
		}
	}, "Docs/*/*", []string{"data documents Data2 ham=Docs/ham spam=Docs/spam --window 50 --train 20 --valid 6 --test 6"}},
}

func copyDistribution(t *testing.T, kind, to string) {
	t.Helper()
	from, _ := distribution(t, kind)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// photoFiles trains a classifier of pictures on files of every kind: Photos1, Run1.
func photoFiles(t *testing.T, dir string) {
	for class, names := range map[string][]string{"red": {"lossy.webp", "420.jpg", "alpha.png", "lossless.webp"}, "blue": {"progressive.jpg", "first.gif", "3x2.png", "grey.jpg"}} {
		for i, name := range names {
			copyFile(t, filepath.Join("../../data/images/testdata", name), filepath.Join(dir, "Photos1", class, fmt.Sprint(i)+filepath.Ext(name)))
		}
	}
	at(t, dir, "train Photos1 --save-dir Run1"+mutantPhotos)
}

// pictures trains a classifier of images: Data1, Run1, Photos.
func pictures(t *testing.T, dir string) {
	copyDistribution(t, "pathfinder-images", filepath.Join(dir, "Path"))
	at(t, dir, "data pathfinder-images Path Data1 --size 8", "train Data1 --preset lra-pathfinder --save-dir Run1"+mutantClassifier)
	put(t, dir, "Photos/a.png", greyPNG(t, 40, 9))
	img := image.NewPaletted(image.Rect(0, 0, 20, 20), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "Photos/b.jpg", b.String())
	os.RemoveAll(filepath.Join(dir, "Path"))
}

// models writes an archive of checkpoints.
func models(t *testing.T, path, model string) {
	t.Helper()
	data, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	w, err := out.Create("a/x.pt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.String())
}

// smallTokenizer is a tokenizer.json.
const smallTokenizer = `{"added_tokens":[{"id":3,"content":"<x>"}],"normalizer":{"type":"NFC"},
"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},"decoder":{"type":"Metaspace"},
"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁the",-1.5],["e",-2.5]]}}`

// labelledUses are the commands that read labelled data.
func labelledUses(paths ...string) (uses []string) {
	for _, path := range paths {
		uses = append(uses, "data look "+path, "train "+path+" --save-dir Run2 --held-out 0.2,0.2"+mutantClassifier,
			"eval "+path+" --checkpoint Run1 --output out.csv", "classify --checkpoint Run1 "+path)
	}
	return uses
}

// tables writes labelled tables of each kind, and trains a model on one: Run1.
func tables(t *testing.T, dir string) {
	var lines strings.Builder
	csv, tsv := "text,label\n", "text\tlabel\n"
	for i := range 20 {
		label := []string{"good", "bad"}[i%2]
		csv += fmt.Sprintf("\"a %s, film %d\",%s\n", label, i, label)
		tsv += fmt.Sprintf("a %s film %d\t%s\n", label, i, label)
		fmt.Fprintf(&lines, "{\"text\": \"a %s film %d\", \"label\": %q}\n", label, i, label)
	}
	put(t, dir, "in1.csv", csv)
	put(t, dir, "in1.tsv", tsv)
	put(t, dir, "in1.jsonl", lines.String())
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write([]byte(csv))
	w.Close()
	put(t, dir, "in1.csv.gz", zipped.String())
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "in1.jsonl.zst", string(z.EncodeAll([]byte(lines.String()), nil)))
	at(t, dir, "train in1.csv --save-dir Run1 --held-out 0.2,0.2"+mutantClassifier)
}

// arrays writes labelled arrays of numpy, and trains a model on them: Run1.
func arrays(t *testing.T, dir string) {
	array := func(kind, shape string, values any) []byte {
		var b bytes.Buffer
		head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, shape)
		fmt.Fprintf(&b, "\x93NUMPY\x01\x00%c\x00%-117s\n", 118, head)
		if err := binary.Write(&b, binary.LittleEndian, values); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var x [20 * 12]float32
	var y [20]int64
	for i := range y {
		y[i] = int64(i % 2)
		for k := range 12 {
			x[12*i+k] = float32(i%2*k) + float32(i)/20
		}
	}
	members := map[string][]byte{"x": array("<f4", "20, 12", x), "y": array("<i8", "20,", y)}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range []string{"x", "y"} {
		put(t, dir, name+"1.npy", string(members[name]))
		out, err := w.Create(name + ".npy")
		if err == nil {
			_, err = out.Write(members[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "in1.npz", b.String())
	at(t, dir, "train in1.npz --save-dir Run1 --held-out 0.2,0.2"+mutantClassifier)
}
