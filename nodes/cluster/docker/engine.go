package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/host"
)

// An engine is a Docker engine: what starts and removes containers.
type engine struct {
	provider *testcontainers.DockerProvider
	api      client.APIClient
	arch     string // "amd64"
	version  string
}

// Labels of everything that a lab starts.
const (
	labelRun   = "faultlab.run"   // which of a lab's clusters it belongs to
	labelOwner = "faultlab.owner" // the process that started it, see owner
	labelNode  = "faultlab.node"
	labelImage = "faultlab.image"
)

const apiLeast = "1.41" // of engine 20.10

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// connect finds the engine. The error is a *Cannot if there is none that would do.
func connect(ctx context.Context) (*engine, error) {
	// The library's own cleaner is an image from a registry, which may be out of reach; package docker cleans up by label.
	// A file /.dockerenv, or an image prefix meant for others, would lead it astray.
	for name, value := range map[string]string{"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1", "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX": ""} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	tclog.SetDefault(quiet{})
	if os.Getenv("DOCKER_HOST") != "" { // of one that does not answer the library would look for another
		if err := answers(ctx); err != nil {
			return nil, noEngine(err)
		}
	}
	// Without the name of the default network the library would make one of its own.
	provider, err := testcontainers.NewDockerProvider(append(
		testcontainers.Generic2DockerOptions(testcontainers.WithLogger(quiet{})), testcontainers.WithDefaultBridgeNetwork(testcontainers.Bridge))...)
	if err != nil {
		return nil, noEngine(err)
	}
	e := &engine{provider: provider, api: open{provider.Client()}}
	provider.SetClient(e.api)
	v, err := e.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return nil, noEngine(err)
	}
	e.arch, e.version = v.Arch, v.Version
	switch {
	case v.Os != "linux":
		return nil, &Cannot{"the Docker engine runs " + v.Os + " containers", "switch it to Linux containers"}
	case older(v.APIVersion, apiLeast):
		return nil, &Cannot{fmt.Sprintf("the Docker engine %s is too old (its API is %s, and at least %s is needed)", v.Version, v.APIVersion, apiLeast), "install engine 20.10 or later"}
	}
	if host := e.api.DaemonHost(); strings.HasPrefix(host, "tcp://") {
		name, _, _ := net.SplitHostPort(strings.TrimPrefix(host, "tcp://"))
		if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, &Cannot{"the Docker engine at " + host + " is on another machine, and nodes are reached on 127.0.0.1", "run lab there, or unset DOCKER_HOST"}
		}
	}
	return e, nil
}

// An open client is closed by nobody. The library closes its client's connections at the end of each call, and with them
// the request that another goroutine may just be making on one.
type open struct{ client.APIClient }

func (open) Close() error { return nil }

// answers says why the engine that the environment names does not answer.
func answers(ctx context.Context) error {
	named, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer named.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = named.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	return err
}

// noEngine says in one sentence why there is no engine.
func noEngine(err error) *Cannot {
	text := err.Error()
	socket := os.Getenv("DOCKER_HOST")
	if socket == "" {
		socket = "unix:///var/run/docker.sock"
	}
	switch {
	case strings.Contains(text, "permission denied"):
		return &Cannot{"you may not use the Docker engine at " + socket, "run: sudo usermod -aG docker $USER, and log in again"}
	case strings.Contains(text, "unable to parse docker host"):
		return &Cannot{"DOCKER_HOST=" + socket + " names no Docker engine", "set it to unix:///var/run/docker.sock or tcp://HOST:PORT, or unset it"}
	case strings.Contains(text, "TLS") || strings.Contains(text, "x509:") || strings.Contains(text, "tls:"):
		return &Cannot{"the Docker engine at " + socket + " cannot be spoken to: " + oneLine(text), "set DOCKER_CERT_PATH to the folder of its ca.pem, cert.pem and key.pem, or unset DOCKER_TLS_VERIFY"}
	case strings.Contains(text, "supported API version"):
		return &Cannot{"the Docker engine at " + socket + " is too old: " + oneLine(text), "install engine 20.10 or later"}
	}
	return &Cannot{"no Docker engine answers at " + socket, "install one and start it (sudo systemctl start docker), or set DOCKER_HOST"}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// older compares versions of two numbers.
func older(a, b string) bool {
	number := func(v string) int {
		major, minor, _ := strings.Cut(v, ".")
		x, _ := strconv.Atoi(major)
		y, _ := strconv.Atoi(minor)
		return x*1000 + y
	}
	return number(a) < number(b)
}

// newRun names what one cluster starts: unique, and short enough for a host name.
func newRun() string {
	return fmt.Sprintf("lab-%s-%d", strconv.FormatInt(time.Now().UnixNano()/1000, 36), os.Getpid())
}

func labels(run string, id nodes.ID) map[string]string {
	l := map[string]string{labelRun: run, labelOwner: owner()}
	if id != "" {
		l[labelNode] = string(id)
	}
	return l
}

// network makes the network of a cluster.
func (e *engine) network(ctx context.Context, run string) error {
	_, err := e.api.NetworkCreate(ctx, run, client.NetworkCreateOptions{Driver: "bridge", Labels: labels(run, "")})
	if err != nil && (strings.Contains(err.Error(), "address pool") || strings.Contains(err.Error(), "subnet")) {
		return &Cannot{"the Docker engine has no subnet left for a network (" + oneLine(err.Error()) + ")", "run: docker network prune"}
	}
	if err != nil {
		return fmt.Errorf("docker: make a network: %w", err)
	}
	return nil
}

// A pair is the two containers of a node.
type pair struct {
	holder, node     string
	ip               netip.Addr
	address, control string // of the node and of its holder, as the lab dials them
}

// pair starts both containers of a node: first the one that holds its network and disk, then the node's own in it.
func (e *engine) pair(ctx context.Context, run, image string, id nodes.ID, command []string) (pair, error) {
	p, err := e.holder(ctx, run, image, id, false)
	if err != nil {
		return p, err
	}
	if p.node, err = e.node(ctx, run, image, id, p.holder, command); err != nil {
		return p, err
	}
	return p, e.addresses(ctx, run, &p)
}

var logs = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m", "max-file": "2"}}

// disk is the volume of a node, which outlives its containers.
func disk(run string, id nodes.ID) []mount.Mount {
	return []mount.Mount{{
		Type: mount.TypeVolume, Source: run + "-" + string(id), Target: "/data",
		VolumeOptions: &mount.VolumeOptions{Labels: labels(run, id), NoCopy: true}, // empty, whatever an image has there
	}}
}

// holder starts the container that holds a node's network and disk. If the disk is to be open, the node may run as any
// user.
func (e *engine) holder(ctx context.Context, run, image string, id nodes.ID, open bool) (p pair, err error) {
	command, able := []string{"node-net"}, []string{"NET_ADMIN"}
	if open {
		command, able = append(command, "--open"), append(able, "DAC_OVERRIDE")
	}
	p.holder, err = e.start(ctx, testcontainers.ContainerRequest{
		Image: image, Name: run + "-" + string(id) + "-net", Labels: labels(run, id), Cmd: command, Networks: []string{run},
		ExposedPorts: []string{port(nodePort), port(holder.Port)},
		HostConfigModifier: func(c *container.HostConfig) {
			c.CapDrop, c.CapAdd = []string{"ALL"}, able
			c.SecurityOpt = []string{"no-new-privileges"}
			c.Mounts, c.LogConfig, c.ReadonlyRootfs = disk(run, id), logs, true
			c.PortBindings = network.PortMap{}
			for _, n := range []int{nodePort, holder.Port} {
				c.PortBindings[network.MustParsePort(port(n))] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1")}}
			}
		},
	})
	return p, err
}

// node starts a node's own container in the network of its holder.
func (e *engine) node(ctx context.Context, run, image string, id nodes.ID, holder string, command []string) (string, error) {
	listen := ":" + strconv.Itoa(nodePort)
	return e.start(ctx, testcontainers.ContainerRequest{
		Image: image, Name: run + "-" + string(id), Labels: labels(run, id), Cmd: append(command, "--listen", listen, "--data", "/data"),
		Env: map[string]string{"LAB_LISTEN": listen, "LAB_DATA": "/data"},
		HostConfigModifier: func(c *container.HostConfig) {
			c.CapDrop, c.SecurityOpt = []string{"ALL"}, []string{"no-new-privileges"}
			c.Mounts, c.LogConfig, c.ReadonlyRootfs = disk(run, id), logs, true
			c.NetworkMode = container.NetworkMode("container:" + holder)
		},
	})
}

// addresses looks up where a pair is reached.
func (e *engine) addresses(ctx context.Context, run string, p *pair) error {
	seen, err := e.api.ContainerInspect(ctx, p.holder, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	if at := seen.Container.NetworkSettings.Networks[run]; at != nil {
		p.ip = at.IPAddress
	}
	published := func(n int) string {
		for _, b := range seen.Container.NetworkSettings.Ports[network.MustParsePort(port(n))] {
			return net.JoinHostPort("127.0.0.1", b.HostPort)
		}
		return ""
	}
	p.address, p.control = published(nodePort), published(holder.Port)
	if !p.ip.IsValid() || p.address == "" || p.control == "" {
		return errors.New("the engine gave it no address or no port")
	}
	return nil
}

func port(n int) string { return strconv.Itoa(n) + "/tcp" }

// start makes a container and starts it.
func (e *engine) start(ctx context.Context, r testcontainers.ContainerRequest) (id string, err error) {
	c, err := e.provider.CreateContainer(ctx, r)
	if err == nil {
		err = c.Start(ctx)
	}
	if err != nil {
		if text := err.Error(); strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use") {
			return "", &Cannot{"a port that the Docker engine chose on 127.0.0.1 is in use (" + oneLine(text) + ")", "run it again, or free the port"}
		}
		return "", err
	}
	return c.GetContainerID(), nil
}

// kill ends a node's process with SIGKILL and returns when it is gone. It is a no-op if there is none.
func (e *engine) kill(ctx context.Context, id string) error {
	_, err := e.api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "SIGKILL"})
	if err == nil || stoppedAlready(err) {
		return nil
	}
	// An engine may refuse to kill what is paused, or what is paused does not die.
	if _, again := e.api.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{}); again != nil {
		return err
	}
	_, err = e.api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "SIGKILL"})
	if stoppedAlready(err) {
		return nil
	}
	return err
}

func stoppedAlready(err error) bool {
	return err != nil && (errdefs.IsNotFound(err) || strings.Contains(err.Error(), "is not running"))
}

func (e *engine) boot(ctx context.Context, id string) error {
	_, err := e.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	return err
}

func (e *engine) pause(ctx context.Context, id string) error {
	_, err := e.api.ContainerPause(ctx, id, client.ContainerPauseOptions{})
	if err != nil && strings.Contains(err.Error(), "already paused") {
		return nil
	}
	return err
}

func (e *engine) unpause(ctx context.Context, id string) error {
	_, err := e.api.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	if err != nil && strings.Contains(err.Error(), "is not paused") {
		return nil
	}
	return err
}

// An exit is how a process ended.
type exit struct {
	status int
	text   string // with the last that it wrote
}

// exited says whether a container's process is no more.
func (e *engine) exited(ctx context.Context, id string) (exit, bool) {
	c, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil || c.Container.State == nil || c.Container.State.Running {
		return exit{}, false
	}
	x := exit{status: c.Container.State.ExitCode}
	x.text = fmt.Sprintf("ended unasked with status %d", x.status)
	if c.Container.State.OOMKilled {
		x.text += " (out of memory)"
	}
	if crash, last := host.LastWords(e.stderr(ctx, id)); crash != "" {
		x.text = crash
	} else if last != "" {
		x.text += ": " + last
	}
	return x, true
}

// ended is exited for a process whose connection broke: it waits a little for the end that this may mean.
func (e *engine) ended(ctx context.Context, id string) (exit, bool) {
	for range 20 {
		if x, gone := e.exited(ctx, id); gone {
			return x, true
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return exit{}, false
}

const (
	stderrMax = 500 // lines
)

// stderr is the end of what a container wrote there.
func (e *engine) stderr(ctx context.Context, id string) string {
	logs, err := e.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStderr: true, Tail: strconv.Itoa(stderrMax)})
	if err != nil {
		return ""
	}
	defer logs.Close()
	var text strings.Builder
	stdcopy.StdCopy(&text, &text, logs)
	return strings.TrimSpace(text.String())
}

// remove removes all that a cluster started. What it gave up while the engine was still at it may come to be in the
// meantime, so it looks until nothing is there.
func (e *engine) remove(ctx context.Context, run string) error {
	for {
		gone, err := e.sweep(ctx, client.Filters{}.Add("label", labelRun+"="+run), func(map[string]string) bool { return true })
		if err == nil && len(gone) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(sweepAgain):
		}
	}
}

const sweepAgain = 100 * time.Millisecond // after a sweep that found something, or failed

// sweep removes containers, networks and volumes with those labels, and says what they were.
func (e *engine) sweep(ctx context.Context, which client.Filters, ours func(labels map[string]string) bool) (gone []string, err error) {
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: which})
	if err != nil {
		return nil, fmt.Errorf("docker: list containers: %w", err)
	}
	var containers, networks, volumes []string
	for _, c := range list.Items {
		if ours(c.Labels) {
			containers = append(containers, c.ID)
			gone = append(gone, "container "+strings.TrimPrefix(strings.Join(c.Names, " "), "/"))
		}
	}
	err = together(containers, func(id string) error {
		_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && strings.Contains(err.Error(), "already in progress") {
			for range 100 { // by another lab that cleans up: until it is gone
				if _, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); errdefs.IsNotFound(err) {
					return nil
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		return absent(err)
	})
	if err != nil {
		return nil, fmt.Errorf("docker: remove containers: %w", err)
	}
	nets, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: which})
	if err != nil {
		return nil, fmt.Errorf("docker: list networks: %w", err)
	}
	for _, n := range nets.Items {
		if ours(n.Labels) {
			networks = append(networks, n.ID)
			gone = append(gone, "network "+n.Name)
		}
	}
	vols, err := e.api.VolumeList(ctx, client.VolumeListOptions{Filters: which})
	if err != nil {
		return nil, fmt.Errorf("docker: list volumes: %w", err)
	}
	for _, v := range vols.Items {
		if ours(v.Labels) {
			volumes = append(volumes, v.Name)
			gone = append(gone, "volume "+v.Name)
		}
	}
	return gone, errors.Join(
		together(networks, func(id string) error {
			_, err := e.api.NetworkRemove(ctx, id, client.NetworkRemoveOptions{})
			return absent(err)
		}),
		together(volumes, func(id string) error {
			_, err := e.api.VolumeRemove(ctx, id, client.VolumeRemoveOptions{Force: true})
			return absent(err)
		}),
	)
}

// absent is err, unless that says that what is to be gone is not there.
func absent(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}
