package mega

import (
	"maps"
	"slices"
)

// VisionConfig is everything that fixes the architecture of a Vision. The JSON
// names are those of the arguments of the reference's VisionMEGA
// (timm/models/vision_mega.py of XuezheMax/mega-image).
type VisionConfig struct {
	Arch string `json:"arch" help:"architecture whose values are the defaults of the others (mega presets lists them)"`
	Seed uint64 `json:"seed" help:"fixes initial parameters, data order, augmentation and dropout"`

	ImgSize    int    `json:"img_size" help:"height and width of the pictures that the model reads, in pixels"`
	PatchSize  int    `json:"patch_size" help:"height and width of the patches that they are cut into"`
	PatchImpl  string `json:"patch_impl" help:"how patches are embedded: conv or linear"`
	NoPosEmb   bool   `json:"no_pos_emb" help:"do not add learned positions to the patches"`
	NumClasses int    `json:"num_classes" help:"classes; taken from the data where there are some"`

	Depth        int    `json:"depth" help:"blocks"`
	EmbedDim     int    `json:"embed_dim" help:"D, width of the blocks"`
	HiddenDim    int    `json:"hidden_dim" help:"H, width of the values of attention"`
	FFNHiddenDim int    `json:"ffn_hidden_dim" help:"width of the feed-forward network, 0 for none"`
	ZDim         int    `json:"zdim" help:"Z, width of queries and keys"`
	NDim         int    `json:"ndim" help:"N, dimensions of the moving average per channel"`
	NormType     string `json:"norm_type" help:"layernorm, scalenorm, rmsnorm, batchnorm or syncbatchnorm"`

	DropRate     float64 `json:"drop_rate" help:"dropout probability"`
	AttnDropRate float64 `json:"attn_drop_rate" help:"dropout probability of attention weights"`
	DropPathRate float64 `json:"drop_path_rate" help:"probability that the last block's layers are left out for a picture, rising from 0 at the first"`
}

// The ways to embed patches. They compute the same; the first has its weights in
// the shape of a convolution's.
const (
	PatchConv   = "conv"
	PatchLinear = "linear"
)

// Derive sets what follows from other values if it is not given itself: the
// feed-forward network is as wide as the values of attention. given says whether a
// JSON key was given.
func (c *VisionConfig) Derive(given func(key string) bool) {
	if !given("ffn_hidden_dim") {
		c.FFNHiddenDim = c.HiddenDim
	}
}

// Patches returns L, the number of patches of a picture.
func (c VisionConfig) Patches() int {
	across := c.ImgSize / max(1, c.PatchSize)
	return across * across
}

// Validate implements Config.
func (c VisionConfig) Validate() error { return validate(c, buildVision) }

// ValidateBeforeData implements Config.
func (c VisionConfig) ValidateBeforeData() error { return validateBeforeData(c) }

// ParameterCount implements Config.
func (c VisionConfig) ParameterCount() int { return countParameters(c, buildVision) }

func (c VisionConfig) check(v *validator) {
	const maxSide = 1 << 12 // so that its square is a number of positions
	v.Between("img_size", c.ImgSize, 1, maxSide)
	v.Between("patch_size", c.PatchSize, 1, maxSide)
	v.Check(c.ImgSize%max(1, c.PatchSize) == 0, "img_size is %d, want a multiple of patch_size = %d", c.ImgSize, c.PatchSize)
	v.OneOf("patch_impl", c.PatchImpl, PatchConv, PatchLinear)
	v.vocabulary("num_classes", c.NumClasses, 1)
	v.Between("depth", c.Depth, 1, maxLayers)
	block, err := c.block()
	v.Add(err)
	block.validate(&v.Complaints, visionKey)
}

// visionKey returns the key under which a VisionConfig has a value of its blocks.
func visionKey(name string) string {
	key, ok := map[string]string{
		"ffn_embed_dim": "ffn_hidden_dim", "z_dim": "zdim", "n_dim": "ndim", "max_positions": "img_size",
		"dropout": "drop_rate", "attention_dropout": "attn_drop_rate", "drop_path": "drop_path_rate",
	}[name]
	if ok {
		return key
	}
	return name
}

// block returns the configuration of the blocks (vision_mega.py:73-91).
func (c VisionConfig) block() (BlockConfig, error) {
	b := BlockConfig{
		EmbedDim: c.EmbedDim, HiddenDim: c.HiddenDim, FFNDim: c.FFNHiddenDim, ZDim: c.ZDim, NDim: c.NDim,
		Bidirectional: true, Swapped: true, Shifted: true,
		ChunkSize: -1, MaxPositions: c.Patches(), RelPosBias: RelPosSimple, Prenorm: true, NormAffine: true,
		Dropout: c.DropRate, AttentionDropout: c.AttnDropRate, DropPath: c.DropPathRate,
	}
	err := b.parseFunctions("silu", "laplace", "norm_type", c.NormType)
	return b, err
}

// visionArchs holds the architectures of the reference by name (deit/models.py:64-91
// of mega-image).
var visionArchs = map[string]func() VisionConfig{
	"mega_tiny_patch16_224": func() VisionConfig { return patch16(192, 384, 64) },
	"mega_base_patch16_224": func() VisionConfig { return patch16(768, 1536, 256) },
}

func patch16(dim, hidden, z int) VisionConfig {
	return VisionConfig{
		Seed: 1, ImgSize: 224, PatchSize: 16, PatchImpl: PatchConv, NumClasses: 1000,
		Depth: 12, EmbedDim: dim, HiddenDim: hidden, FFNHiddenDim: hidden, ZDim: z, NDim: 16, NormType: "layernorm",
	}
}

// VisionArch returns the configuration that the reference registers under an
// architecture name.
func VisionArch(name string) (VisionConfig, error) {
	c, err := arch(visionArchs, "vision ", name)
	c.Arch = name
	return c, err
}

// VisionArchs lists the vision architectures.
func VisionArchs() []string { return slices.Sorted(maps.Keys(visionArchs)) }
