package naive_test

import (
	"fmt"

	"github.com/mega-go/mega/internal/naive"
)

// A test of a fast layer computes the layer here too, and compares the values and,
// under any gradient dy of the output, the gradients.
func Example() {
	x := naive.FromFloat32(2, 3, []float32{1, 2, 3, 4, 5, 9})
	weight := naive.New(1, 3, []float64{1, 1, 2})
	y := naive.RMSNorm(x, weight)
	dy := naive.New(2, 3, []float64{1, 0, 0, 0, 0, 1})
	naive.Backward(naive.Dot(y, dy))
	fmt.Printf("y  %.4f\n", y.Data)
	fmt.Printf("dx %.4f\n", x.Grad)
	fmt.Printf("dw %.4f\n", weight.Grad)
	// Output:
	// y  [0.4629 0.9258 2.7775 0.6272 0.7841 2.8226]
	// dx [0.4298 -0.0661 -0.0992 -0.0925 -0.1157 0.1054]
	// dw [0.4629 0.0000 1.4113]
}
