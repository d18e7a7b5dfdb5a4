package kernel

//go:generate go -C _asm run . -family gemm -out ../gemm_amd64.s -stubs ../gemm_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family gemm_bf16 -out ../gemm_bf16_amd64.s -stubs ../gemm_bf16_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family gemm_amx -out ../gemm_amx_amd64.s -stubs ../gemm_amx_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family gemm_int8 -out ../gemm_int8_amd64.s -stubs ../gemm_int8_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family vec -out ../vec_amd64.s -stubs ../vec_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family ema -out ../ema_amd64.s -stubs ../ema_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family attention -out ../attention_amd64.s -stubs ../attention_stubs_amd64.go -pkg kernel
//go:generate go -C _asm run . -family pause -out ../../parallel/pause_amd64.s -stubs ../../parallel/pause_stubs_amd64.go -pkg parallel
//go:generate go -C _asm run . -family gemm_arm64 -out ../gemm_arm64.s -stubs ../gemm_stubs_arm64.go -pkg kernel
//go:generate go -C _asm run . -family gemm_bf16_arm64 -out ../gemm_bf16_arm64.s -stubs ../gemm_bf16_stubs_arm64.go -pkg kernel
//go:generate go -C _asm run . -family gemm_int8_arm64 -out ../gemm_int8_arm64.s -stubs ../gemm_int8_stubs_arm64.go -pkg kernel
//go:generate go -C _asm run . -family vec_arm64 -out ../vec_arm64.s -stubs ../vec_stubs_arm64.go -pkg kernel
//go:generate go -C _asm run . -family attention_arm64 -out ../attention_arm64.s -stubs ../attention_stubs_arm64.go -pkg kernel
//go:generate go -C _asm run . -family ema_arm64 -out ../ema_arm64.s -stubs ../ema_stubs_arm64.go -pkg kernel
