// Package images reads pictures for the vision model: directories of classes,
// as they are, decoded, turned upright, scaled and augmented as DeiT does, whose
// code trains the reference (XuezheMax/mega-image, deit/ and timm/data/).
//
// Scaling and every augmentation give Pillow's bytes, which the reference works
// with. What is drawn by lot is a pure function of seed, epoch and position, so
// that runs resume bit for bit whatever the number of workers. A picture that
// cannot be read is left out of its batch and named. The package knows nothing
// of models.
//
// docs/results/augmentations.jpg shows what is made of pictures of data/shapes:
//
//	go test ./data/images -run TestSheet -sheet "$PWD/docs/results/augmentations.jpg"
package images
