# make              build ./lab
# make test         all that must hold before a commit
# make test-docker  the same designs in real containers; skips loudly where no Docker engine answers
# make test-docker-brief   as much of that as fits in CI
# make bench        the numbers of BENCHMARKS.md; BENCH=Kernel for some of them
# make cross        ./lab for other systems, as lab-OS-ARCH

export CGO_ENABLED = 0
# Runs record the hash of the program that made them, so it depends on the source alone: not on where it was built, nor
# on the state of the repository.
BUILD = go build -trimpath -buildvcs=false
BENCH = .
CROSS = darwin-arm64 windows-amd64 linux-arm64

.PHONY: lab test test-docker test-docker-brief bench cross clean $(CROSS)

lab:
	$(BUILD) -o lab ./cmd/lab

test:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not as gofmt writes it:" $$unformatted; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go test -timeout 10m ./...

test-docker:
	LAB_DOCKER=1 go test -count=1 -parallel 4 -timeout 20m ./nodes/cluster/docker

test-docker-brief:
	LAB_DOCKER=brief go test -count=1 -parallel 4 -timeout 7m -run 'HarmsThatMeet|GuaranteesHold|SameSeed|DisksOfNodes|Killed|ComesServes' ./nodes/cluster/docker

bench:
	go test -timeout 60m -run '^$$' -bench '$(BENCH)' -benchmem ./...

cross: $(CROSS)

$(CROSS):
	GOOS=$(word 1,$(subst -, ,$@)) GOARCH=$(word 2,$(subst -, ,$@)) $(BUILD) -o lab-$@$(if $(findstring windows,$@),.exe) ./cmd/lab

clean:
	rm -f lab lab-*
