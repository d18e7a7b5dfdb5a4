package listops_test

import (
	"fmt"
	"log"

	"github.com/mega-go/mega/data/listops"
)

func ExampleExpression_Eval() {
	e, err := listops.Parse("[MAX 4 3 [MIN 2 3 ] 1 0 [MED 1 5 8 9 2 ] ]")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Eval())
	// Output: 5 <nil>
}
