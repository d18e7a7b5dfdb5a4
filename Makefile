# A table of contents: each line is the plain command it names.
.PHONY: build test generate bench ci

build:
	CGO_ENABLED=0 go build -o mega ./cmd/mega

test:
	go test ./...

generate:
	go generate ./internal/kernel

bench:
	go test -run '^$$' -bench . ./internal/kernel

ci:
	.ci/run
