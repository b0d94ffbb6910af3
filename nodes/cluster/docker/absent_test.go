package docker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A machine that cannot do it says so in one sentence, with the fix and status 253. What an engine would answer is made
// up here, so none is needed.
func TestWhatThisMachineLacksIsNamedWithAFix(t *testing.T) {
	self, err := os.Executable()
	if err != nil || runtime.GOOS != "linux" {
		t.Skip(err)
	}
	fails := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"message":%q}`, text)
		}
	}
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, text)
		}
	}
	version := func(api, os string) http.HandlerFunc {
		return says(fmt.Sprintf(`{"Version":"1.2.3","ApiVersion":%q,"Os":%q,"Arch":%q}`, api, os, runtime.GOARCH))
	}
	image := says(`{"Id":"sha256:1","Config":{},"RepoTags":["faultlab/node:x"]}`)
	for _, c := range []struct {
		name  string
		api   string
		parts map[string]http.HandlerFunc // by a part of the path
		want  []string
	}{
		{"an old engine", "1.39", nil, []string{"too old", "20.10"}},
		{"another old engine", "1.40", map[string]http.HandlerFunc{"/version": version("1.40", "linux")}, []string{"too old", "1.41", "20.10"}},
		{"windows containers", "1.41", map[string]http.HandlerFunc{"/version": version("1.41", "windows")}, []string{"windows containers", "Linux containers"}},
		{"an image that does not build", "1.41", map[string]http.HandlerFunc{"/build": says(`{"error":"no space left on device","errorDetail":{"message":"no space left on device"}}`)},
			[]string{"does not build", "no space left on device", "docker system df"}},
		{"no subnet", "1.41", map[string]http.HandlerFunc{"/images/": image, "/networks/create": fails(404, "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network")},
			[]string{"no subnet left", "docker network prune"}},
		{"a port in use", "1.41", map[string]http.HandlerFunc{"/images/": image, "/start": fails(500, "driver failed programming external connectivity: listen tcp4 127.0.0.1:32768: bind: address already in use")},
			[]string{"in use", "free the port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			left := map[string]bool{} // what was made and not removed
			engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				w.Header().Set("Api-Version", c.api)
				w.Header().Set("Ostype", "linux")
				for part, answer := range c.parts {
					if strings.Contains(r.URL.Path, part) {
						answer(w, r)
						return
					}
				}
				switch path := r.URL.Path; {
				case strings.HasSuffix(path, "/_ping"):
				case strings.HasSuffix(path, "/info"):
					says(`{"ServerVersion":"1.2.3"}`)(w, r)
				case strings.HasSuffix(path, "/version"):
					version(c.api, "linux")(w, r)
				case strings.HasSuffix(path, "/networks/create"):
					left["net1"] = true
					says(`{"Id":"net1"}`)(w, r)
				case strings.HasSuffix(path, "/containers/create"):
					id := fmt.Sprintf("%064d", len(left))
					left[id] = true
					says(`{"Id":"`+id+`"}`)(w, r)
				case strings.HasSuffix(path, "/containers/json") && strings.Contains(r.URL.RawQuery, "faultlab"):
					var list []string
					for id := range left {
						if id != "net1" {
							list = append(list, `{"Id":"`+id+`","Names":["/x"],"Labels":{}}`)
						}
					}
					says("["+strings.Join(list, ",")+"]")(w, r)
				case strings.HasSuffix(path, "/networks") && left["net1"] && strings.Contains(r.URL.RawQuery, "faultlab"):
					says(`[{"Id":"net1","Name":"n1","Labels":{}}]`)(w, r)
				case strings.HasSuffix(path, "/networks") && strings.Contains(r.URL.RawQuery, "faultlab"):
					says(`[]`)(w, r)
				case strings.HasSuffix(path, "/networks"):
					says(`[{"Id":"b","Name":"bridge"}]`)(w, r)
				case r.Method == http.MethodDelete:
					delete(left, path[strings.LastIndexByte(path, '/')+1:])
				case strings.HasSuffix(path, "/volumes"):
					says(`{"Volumes":[]}`)(w, r)
				case strings.HasSuffix(path, "/containers/json"):
					says(`[]`)(w, r)
				default:
					fails(404, "No such thing: "+path)(w, r)
				}
			}))
			defer engine.Close()
			lab := exec.Command(self, "run", "multi-master", "--on", "docker", "--store", t.TempDir(), "--quiet")
			lab.Env = append(os.Environ(), "DOCKER_HOST=tcp://"+engine.Listener.Addr().String())
			out, err := lab.CombinedOutput()
			text := string(out)
			if lab.ProcessState.ExitCode() != 253 {
				t.Fatalf("%v: %s", err, text)
			}
			if strings.Count(strings.TrimSpace(text), "\n") > 3 {
				t.Errorf("more than a sentence: %s", text)
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in: %s", want, text)
				}
			}
			if len(left) > 0 {
				t.Errorf("left: %v, and it says %s", left, text)
			}
		})
	}
	for _, c := range []struct {
		name, want string
		env        []string
	}{
		{"no engine", "no Docker engine answers at unix:///nowhere/docker.sock", []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}},
		{"a name of no engine", "DOCKER_HOST=nonsense names no Docker engine; set it to unix:///var/run/docker.sock", []string{"DOCKER_HOST=nonsense"}},
		{"no certificate", "/nowhere/ca.pem: no such file or directory; set DOCKER_CERT_PATH", []string{"DOCKER_HOST=tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=/nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab := exec.Command(self, "run", "multi-master", "--on", "docker", "--store", t.TempDir())
			lab.Env = append(os.Environ(), c.env...)
			out, _ := lab.CombinedOutput()
			if lab.ProcessState.ExitCode() != 253 || !strings.Contains(string(out), c.want) {
				t.Errorf("status %d: %s", lab.ProcessState.ExitCode(), out)
			}
		})
	}
}
