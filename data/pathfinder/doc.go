// Package pathfinder draws the Pathfinder task: images of dashed curves with two
// discs, either at both ends of one curve or at one end each of two. The class is 1
// if one curve joins the discs.
//
// It follows the published description (Linsley et al. 2018, arXiv 1805.08315;
// arXiv 2011.04006, section 2.2.5): two target curves of equal length, shorter
// distractor curves, no crossings. The discs are chosen so that their distance
// does not give the class away. The drawing is our own, so results on it compare
// with each other and not with those on the original images.
package pathfinder
