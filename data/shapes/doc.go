// Package shapes draws pictures to classify in colour: a shape with a texture in
// a colour, at any place, size and angle, before a ground with other things on
// it, written as JPEG files in directories of classes. Results on them compare
// with each other alone; a model learns them from nothing in minutes.
package shapes
