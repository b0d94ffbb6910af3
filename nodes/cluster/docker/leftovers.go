package docker

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/moby/moby/client"
)

// What a lab leaves behind when it is killed is found by its labels. The label of an owner names the process that
// started it: machine, process namespace, number, and when the process began, since numbers come again.

// owner names this process.
func owner() string {
	name, _ := os.Hostname()
	return strings.Join([]string{name, space(), strconv.Itoa(os.Getpid()), began(os.Getpid())}, "/")
}

// lives says whether the owner of a label may still live. Of one that cannot be seen from here it is not known.
func lives(label string) (alive, known bool) {
	part := strings.Split(label, "/")
	mine := strings.Split(owner(), "/")
	if len(part) != 4 || part[0] != mine[0] || part[1] != mine[1] {
		return true, false
	}
	pid, err := strconv.Atoi(part[2])
	if err != nil {
		return true, false
	}
	if !exists(pid) {
		return false, true
	}
	return part[3] == began(pid), true
}

// space names the namespace in which process numbers count; "" where there are none.
func space() string {
	at, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(at, "pid:"), "[]")
}

// began says when a process began, in whatever unit; "" if that is not known here.
func began(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name, in parentheses, may hold anything; the time is the 20th after it.
	rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// clean removes what labs that are no more left behind; with all, also what belongs to owners of whom it is not known
// whether they live, and images that no container uses. It returns what it removed.
func (e *engine) clean(ctx context.Context, all bool) ([]string, error) {
	gone, err := e.sweep(ctx, client.Filters{}.Add("label", labelRun), func(l map[string]string) bool {
		alive, known := lives(l[labelOwner])
		return !alive || all && !known
	})
	if err != nil || !all {
		return gone, err
	}
	if used, err := e.api.ContainerList(ctx, client.ContainerListOptions{Filters: client.Filters{}.Add("label", labelRun)}); err != nil || len(used.Items) > 0 {
		return gone, err // a lab that runs may be about to start more of its image
	}
	images, err := e.api.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("label", labelImage)})
	if err != nil {
		return gone, fmt.Errorf("docker: list images: %w", err)
	}
	for _, i := range images.Items {
		name := i.ID
		if len(i.RepoTags) > 0 {
			name = i.RepoTags[0]
		}
		for _, tag := range append(i.RepoTags[:len(i.RepoTags):len(i.RepoTags)], i.ID) {
			// One that a container uses is refused, and stays.
			if _, err = e.api.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true}); err != nil {
				break
			}
		}
		if absent(err) == nil {
			gone = append(gone, "image "+name)
		}
	}
	return gone, nil
}

// left counts what labs that are no more left behind.
func (e *engine) left(ctx context.Context) (n int, err error) {
	which := client.Filters{}.Add("label", labelRun)
	count := func(l map[string]string) {
		if alive, _ := lives(l[labelOwner]); !alive {
			n++
		}
	}
	containers, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: which})
	if err != nil {
		return 0, fmt.Errorf("docker: list containers: %w", err)
	}
	for _, c := range containers.Items {
		count(c.Labels)
	}
	networks, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: which})
	if err != nil {
		return 0, fmt.Errorf("docker: list networks: %w", err)
	}
	for _, x := range networks.Items {
		count(x.Labels)
	}
	volumes, err := e.api.VolumeList(ctx, client.VolumeListOptions{Filters: which})
	if err != nil {
		return 0, fmt.Errorf("docker: list volumes: %w", err)
	}
	for _, v := range volumes.Items {
		count(v.Labels)
	}
	return n, nil
}

// Clean removes all containers, networks, volumes and images that labs left behind, and returns what they were. What
// belongs to a lab that still runs stays.
func Clean(ctx context.Context) ([]string, error) {
	e, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	return e.clean(ctx, true)
}
