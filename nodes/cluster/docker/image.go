package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// dockerfile is docker/Dockerfile, which a test compares: the image is built from an installed program alone.
const dockerfile = "FROM scratch\nCOPY lab /lab\nENTRYPOINT [\"/lab\"]\n"

// repository is the name of our images. Each is tagged by the hash of the program in it.
const repository = "faultlab/node"

// image returns the image of this program, which it builds if it is not there.
func (e *engine) image(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("docker: find this program: %w", err)
	}
	path, err := program(self, e.arch)
	if err != nil {
		return "", err
	}
	return e.imageOf(ctx, path)
}

// imageOf returns the image of a program.
func (e *engine) imageOf(ctx context.Context, path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("docker: read %s: %w", path, err)
	}
	sum := sha256.Sum256(text)
	tag := hex.EncodeToString(sum[:8])
	ref := repository + ":" + tag
	if _, err := e.api.ImageInspect(ctx, ref); err == nil {
		return ref, nil
	} else if !errdefs.IsNotFound(err) {
		return "", fmt.Errorf("docker: look for the image %s: %w", ref, err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range []struct {
		name string
		mode int64
		text []byte
	}{{"Dockerfile", 0o644, []byte(dockerfile)}, {"lab", 0o755, text}} {
		err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text))})
		if err == nil {
			_, err = w.Write(f.text)
		}
		if err != nil {
			return "", fmt.Errorf("docker: pack the image: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("docker: pack the image: %w", err)
	}
	_, err = e.provider.BuildImage(ctx, &testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		ContextArchive: bytes.NewReader(archive.Bytes()), Repo: repository, Tag: tag, KeepImage: true,
		BuildOptionsModifier: func(o *client.ImageBuildOptions) {
			o.Labels = map[string]string{labelImage: tag}
		},
	}})
	if err != nil {
		return "", &Cannot{"the image does not build: " + oneLine(err.Error()), "look at the engine's disk (docker system df) and log"}
	}
	return ref, nil
}

// program finds a program that runs in a container without anything else: this one or, next to it, one built for the
// engine.
func program(self, arch string) (string, error) {
	why := fits(self, arch)
	if why == nil {
		return self, nil
	}
	if resolved, err := filepath.EvalSymlinks(self); err == nil {
		self = resolved
	}
	sibling := filepath.Join(filepath.Dir(self), "lab-linux-"+arch)
	err := fits(sibling, arch)
	if err == nil {
		return sibling, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		why = err
	}
	return "", &Cannot{
		fmt.Sprintf("no program for the containers: %v", why),
		fmt.Sprintf("build one: CGO_ENABLED=0 GOOS=linux GOARCH=%s go build -trimpath -buildvcs=false -o %s ./cmd/lab", arch, sibling),
	}
}

// fits says why a program would not run in an empty linux container on that architecture.
func fits(path, arch string) error {
	f, err := elf.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s is no program for linux", path)
	}
	defer f.Close()
	machine := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "386": elf.EM_386, "arm": elf.EM_ARM, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV,
	}[arch]
	if f.Machine != machine {
		return fmt.Errorf("%s is for %s, and the engine is %s", path, strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_")), arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically", path)
		}
	}
	return nil
}
