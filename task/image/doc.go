// Package image trains and uses classifiers of pictures (mega.Vision) on
// directories of classes, as mega-image's deit/main.py does.
package image
