package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/spell"
)

// A Recipe is a whole training command under a name: the flags that the user's
// own follow and override.
type Recipe struct {
	Name    string
	Summary string
	flags   string
}

// Flags returns the recipe's flags, one argument each.
func (r Recipe) Flags() []string {
	flags := strings.Fields(r.flags)
	for i, f := range flags {
		flags[i] = strings.ReplaceAll(f, space, " ")
	}
	return flags
}

// space stands for a space within a flag.
const space = `\u0020`

// lraFlags is what the reference's commands for the Long Range Arena and for
// speech share (examples/mega/README.lra.md, README.sc.md).
const lraFlags = `
	--criterion lra_cross_entropy --best-checkpoint-metric accuracy --maximize-best-checkpoint-metric
	--optimizer adam --adam-betas (0.9,0.98) --adam-eps 1e-8 --clip-norm 1.0
	--attention-dropout 0.0 --act-dropout 0.0 --sentence-avg
	--lr-scheduler linear_decay --end-learning-rate 0.0 --warmup-init-lr 1e-07
	--keep-last-epochs 1 --log-interval 100 `

// lraTextFlags and lraImageFlags add what its text and image tasks share.
const (
	lraTextFlags = lraFlags + `--task lra-text --input-type text --sen-rep-type mp --activation-fn silu
	--attention-activation-fn softmax --dropout 0.1 --chunk-size -1 `
	lraImageFlags = lraFlags + `--task lra-image --input-type image --sen-rep-type mp --activation-fn silu
	--attention-activation-fn laplace --encoder-normalize-before --dropout 0.0 `
	speechFlags = lraFlags + `--task speech_commands --encoder-normalize-before --dropout 0.0
	--batch-size 20 --max-update 250000 --total-num-update 250000 --warmup-updates 10000
	--weight-decay 0.01 --sentence-class-num 10 --max-positions 16000 `
)

// languageFlags is what the reference's commands for language models share
// (examples/mega/README.lm.md).
const languageFlags = `--task language_modeling --activation-fn silu --attention-activation-fn softmax
	--decoder-n-dim 16 --normalize-before --no-affine-final-norm --normalization-type layernorm --rel-pos-bias rotary
	--optimizer adam --lr 5e-3 --adam-betas (0.9,0.98) --adam-eps 1e-8 --clip-norm 0.25
	--lr-scheduler linear_decay --end-learning-rate 0.0 --warmup-init-lr 1e-07
	--attention-dropout 0.0 --hidden-dropout 0.0 --no-epoch-checkpoints --log-interval 100 `

// translationFlags is what the reference's command for translation
// (examples/mega/README.mt.md) and ours share. Its --truncation-length 0, with
// which the reference fails, means none here.
const translationFlags = `--task translation --criterion label_smoothed_cross_entropy --label-smoothing 0.1
	--arch mega_wmt_en_de --activation-fn silu --attention-activation-fn softmax --normalization-type layernorm
	--truncation-length 0 --share-all-embeddings --attention-dropout 0.1 --hidden-dropout 0.1 --activation-dropout 0.1
	--eval-bleu --eval-tokenized-bleu --eval-bleu-detok space
	--best-checkpoint-metric bleu --maximize-best-checkpoint-metric
	--optimizer adam --adam-betas (0.9,0.98) --adam-eps 1e-8 --clip-norm 1.0 --weight-decay 0.05
	--lr-scheduler linear_decay --end-learning-rate 0.0 --warmup-init-lr 1e-07 `

// recipes are the published ones and our own short ones.
var recipes = makeRecipes(
	Recipe{"lra-listops", "Long Range Arena: ListOps, as published", lraTextFlags + `
		--arch mega_lra_listop --norm-type layernorm --lr 0.001 --weight-decay 0.01 --batch-size 64
		--max-sentences-valid 256 --max-update 90000 --total-num-update 90000 --warmup-updates 3000`},
	Recipe{"lra-text", "Long Range Arena: byte-level text classification (IMDB), as published", lraTextFlags + `
		--arch mega_lra_imdb --norm-type scalenorm --lr 0.004 --weight-decay 0.01 --batch-size 25 --update-freq 2
		--max-sentences-valid 100 --max-update 25000 --total-num-update 25000 --warmup-updates 10000`},
	Recipe{"lra-retrieval", "Long Range Arena: document retrieval (AAN), as published", lraTextFlags + `
		--arch mega_lra_aan --norm-type scalenorm --lr 0.003 --weight-decay 0.04 --batch-size 8 --update-freq 8
		--max-sentences-valid 64 --max-update 91960 --total-num-update 91960 --warmup-updates 10000`},
	Recipe{"lra-image", "Long Range Arena: pixel sequences (CIFAR-10), as published", lraImageFlags + `
		--arch mega_lra_cifar10 --norm-type batchnorm --pixel-normalization 0.48,0.24 --lr 0.01 --weight-decay 0.02
		--batch-size 50 --max-update 180000 --total-num-update 180000 --warmup-updates 9000`},
	Recipe{"lra-pathfinder", "Long Range Arena: Pathfinder at 32×32, as published", lraImageFlags + `
		--arch mega_lra_pf32 --norm-type batchnorm --pixel-normalization 0.5,0.5 --lr 0.01 --weight-decay 0.01
		--batch-size 128 --max-sentences-valid 512 --max-update 250000 --total-num-update 250000 --warmup-updates 50000`},
	Recipe{"lra-pathx", "Long Range Arena: Pathfinder at 128×128 (Path-X), as published for 8 GPUs", lraImageFlags + `
		--arch mega_lra_pf128 --norm-type syncbatchnorm --pixel-normalization 0.5,0.5 --lr 0.01 --weight-decay 0.01
		--batch-size 2 --update-freq 8 --max-sentences-valid 12 --max-update 125000 --total-num-update 125000
		--warmup-updates 25000 --warmup-power 2`},
	Recipe{"sc-raw", "Speech Commands from raw samples, base model, as published", speechFlags + `
		--arch mega_sc_raw_base --lr 0.01`},
	Recipe{"sc-raw-big", "Speech Commands from raw samples, big model, as published", speechFlags + `
		--arch mega_sc_raw_big --lr 0.008`},
	Recipe{"enwik8", "enwik8, a language model of bytes, as published for 8 GPUs", languageFlags + `
		--arch mega_lm_enwik8_base --criterion cross_entropy --share-decoder-input-output-embed --dropout 0.1
		--decoder-chunk-size 2048 --truncation-length 8192 --max-target-positions 10384 --max-tokens 8192
		--variant-block-multiple-min 2 --variant-block-multiple-max 4 --sample-break-mode complete --valid-block splits:10
		--weight-decay 0.1 --max-update 400000 --total-num-update 400000 --warmup-updates 24000`},
	Recipe{"wikitext-103", "WikiText-103, a language model of words, as published for 24 GPUs", languageFlags + `
		--arch mega_lm_adaptive_big --criterion adaptive_loss --dropout 0.3 --attention-dropout 0.1 --hidden-dropout 0.1
		--decoder-chunk-size 1024 --truncation-length 8192 --max-target-positions 8096 --max-tokens 6144
		--variant-block-multiple-min 2 --variant-block-multiple-max 6 --sample-break-mode complete --valid-block splits:10
		--weight-decay 0.1 --max-update 400000 --total-num-update 400000 --warmup-updates 24000`},
	Recipe{"wmt16-en-de", "WMT'16 English to German, as published for 8 GPUs", translationFlags + `
		--source-lang en --target-lang de --eval-bleu-remove-bpe=@@\u0020 --encoder-layers 6 --decoder-layers 6
		--encoder-n-dim 16 --encoder-chunk-size -1 --dropout 0.15 --lr 1e-3 --max-tokens 8192 --batch-size 1024
		--max-update 500000 --total-num-update 500000 --warmup-updates 4000 --keep-last-epochs 5
		--save-interval-updates 5000 --keep-interval-updates 1 --log-interval 100`},
	Recipe{"numbers-en-de", "names of numbers, English to German (mega data numbers); minutes on two cores", translationFlags + `
		--source-lang en --target-lang de --left-pad-source=false --encoder-layers 2 --decoder-layers 2
		--encoder-embed-dim 64 --encoder-hidden-dim 128 --encoder-ffn-embed-dim 128 --encoder-z-dim 32 --encoder-n-dim 8
		--normalize-before --max-source-positions 64 --max-target-positions 64
		--dropout 0.0 --attention-dropout 0.0 --hidden-dropout 0.0 --activation-dropout 0.0
		--lr 4e-3 --max-tokens 1024 --max-update 2400 --total-num-update 2400 --warmup-updates 150
		--validate-interval-updates 200 --validate-interval 100 --eval-bleu-args {"no_early_stop":true}
		--no-epoch-checkpoints --log-interval 50`},
	Recipe{"bytes-small", "a small language model of the bytes of any text (--text FILE); a quarter of an hour of one core", languageFlags + `
		--arch mega_lm_enwik8_base --criterion cross_entropy --share-decoder-input-output-embed --dropout 0.0
		--decoder-layers 3 --decoder-embed-dim 128 --decoder-hidden-dim 256 --decoder-ffn-embed-dim 256 --decoder-z-dim 64
		--decoder-n-dim 8 --decoder-chunk-size 256 --truncation-length 0 --max-target-positions 1024 --max-tokens 2048
		--variant-block-multiple-min 2 --variant-block-multiple-max 4 --valid-block splits:10 --validate-interval-updates 500
		--save-interval-updates 250 --keep-interval-updates 1 --log-interval 50
		--lr 6e-3 --weight-decay 0.01 --max-update 2500 --total-num-update 2500 --warmup-updates 150`},
	Recipe{"listops-short", "ListOps of 10 to 60 symbols, generated; minutes on two cores", lraTextFlags + `
		--task listops --arch mega_lra_listop --norm-type layernorm --encoder-layers 4 --encoder-embed-dim 64
		--encoder-hidden-dim 128 --encoder-ffn-embed-dim 128 --z-dim 32 --n-dim 8 --classifier-out-dim 128
		--max-positions 128 --truncation-length 0 --dropout 0.0 --listops-length 10,60 --listops-sizes 40000,1000,2000
		--lr 0.004 --weight-decay 0.01 --batch-size 64 --max-sentences-valid 256
		--max-update 1200 --total-num-update 1200 --warmup-updates 120`},
)

func makeRecipes(rs ...Recipe) map[string]Recipe {
	m := make(map[string]Recipe)
	for _, r := range append(rs, shortRecipes...) {
		m[r.Name] = r
	}
	return m
}

// Find returns the recipe of that name.
func Find(name string) (Recipe, error) {
	if r, ok := recipes[name]; ok {
		return r, nil
	}
	names := slices.Sorted(maps.Keys(recipes))
	if near := spell.Nearest(name, names); near != "" {
		return Recipe{}, fmt.Errorf("unknown preset %q, did you mean %q?", name, near)
	}
	return Recipe{}, fmt.Errorf("unknown preset %q, want one of %s", name, strings.Join(names, ", "))
}

// All lists all recipes by name.
func All() []Recipe {
	var out []Recipe
	for _, name := range slices.Sorted(maps.Keys(recipes)) {
		out = append(out, recipes[name])
	}
	return out
}
