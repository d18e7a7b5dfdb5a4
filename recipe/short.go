package recipe

// shortFlags is what our own short recipes for texts share: a small model that
// learns in minutes on a processor.
const shortFlags = lraTextFlags + `--norm-type layernorm --encoder-layers 2 --encoder-embed-dim 64
	--encoder-hidden-dim 128 --encoder-ffn-embed-dim 128 --z-dim 32 --n-dim 8 --classifier-out-dim 128
	--truncation-length 0 --dropout 0.0 --weight-decay 0.01 --max-sentences-valid 50 --log-interval 50 `

// shortRecipes are our own for the tasks of the Long Range Arena and for speech.
// docs/results says what they reach.
var shortRecipes = []Recipe{
	{"listops-long-short", "ListOps of 500 to 2000 symbols, generated; a small model, minutes on two cores", shortFlags + `
		--task listops --arch mega_lra_listop --sen-rep-type cls --n-dim 16 --chunk-size 128
		--listops-length 500,2000 --listops-sizes 8000,300,1000
		--lr 0.004 --batch-size 8 --max-sentences-valid 16 --max-update 600 --total-num-update 600 --warmup-updates 60
		--validate-interval-updates 100`},
	{"text-short", "up to 8 classes of texts of bytes (mega data documents); a small model, minutes on two cores", shortFlags + `
		--arch mega_lra_imdb --sentence-class-num 8 --chunk-size 64 --lr 0.004 --batch-size 8
		--max-update 1200 --total-num-update 1200 --warmup-updates 120 --validate-interval-updates 200`},
	{"retrieval-short", "pairs of texts of bytes (mega data documents --pairs); a small model, minutes on two cores", shortFlags + `
		--arch mega_lra_aan --chunk-size 64 --lr 0.004 --batch-size 8
		--max-update 1500 --total-num-update 1500 --warmup-updates 150 --validate-interval-updates 250`},
	{"pathfinder-short", "short Pathfinder contours (mega data pathfinder --contour 2 --distractors 0); a small model, minutes on two cores", lraImageFlags + `
		--arch mega_lra_pf32 --norm-type batchnorm --pixel-normalization 0.5,0.5 --encoder-layers 2 --encoder-embed-dim 32
		--encoder-hidden-dim 32 --encoder-ffn-embed-dim 32 --z-dim 16 --n-dim 8 --classifier-out-dim 32
		--chunk-size 128 --truncation-length 0 --lr 0.01 --weight-decay 0.01 --batch-size 16 --max-sentences-valid 64
		--max-update 1200 --total-num-update 1200 --warmup-updates 100 --validate-interval-updates 200 --log-interval 50`},
	{"speech-short", "ten keywords at 4 kHz (scripts/keywords); a small model, minutes on two cores", speechFlags + `
		--arch mega_sc_raw_base --encoder-layers 3 --encoder-embed-dim 32 --encoder-hidden-dim 32 --encoder-ffn-embed-dim 64
		--z-dim 16 --n-dim 16 --classifier-out-dim 64 --chunk-size 100 --truncation-length 0
		--sc-rate 4000 --sc-length 4000 --max-positions 4000 --lr 0.006 --batch-size 8 --max-sentences-valid 16
		--max-update 380 --total-num-update 380 --warmup-updates 30 --validate-interval-updates 95 --log-interval 25`},
}
