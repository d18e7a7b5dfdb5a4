// Command asm generates the assembly of package kernel with avo; arm.go says how
// that of arm64.
//
// Each family of kernels is one file here with one function in families, and
// becomes one assembly file and one file of Go stubs in the parent directory:
//
//	go run . -family gemm -out ../gemm_amd64.s -stubs ../gemm_stubs_amd64.go -pkg kernel
//
// `go generate ./internal/kernel` runs it for every family. The directory has
// its own go.mod, so that users of mega never download avo.
package main

import (
	"flag"
	"log"
	"strings"

	"github.com/mmcloughlin/avo/build"
)

// families maps a family's name to the function that emits it; each file of
// this program adds its own in an init function.
var families = map[string]func(){}

func main() {
	family := flag.String("family", "", "which kernels to generate")
	flag.Parse() // avo registered -out, -stubs and -pkg beside ours
	emit, ok := families[*family]
	if !ok {
		log.Fatalf("unknown -family %q", *family)
	}
	onARM = strings.HasSuffix(*family, "_arm64")
	build.ConstraintExpr("!purego")
	emit()
	if onARM {
		generateNEON()
		return
	}
	build.Generate()
}
