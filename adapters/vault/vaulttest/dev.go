package vaulttest

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// rootToken of servers in memory. It opens nothing that outlives the test.
const rootToken = "root"

// Dev starts a server that keeps everything in memory, over plain http, with KV
// v2 at secret/ and Transit at transit/.
func Dev(t testing.TB) *Server {
	t.Helper()
	s := dev(t)
	s.mount(t, "sys/mounts/transit", map[string]any{"type": "transit"})
	return s
}

// Kubernetes starts what [Dev] starts, with the Kubernetes auth method at
// auth/kubernetes.
func Kubernetes(t testing.TB) *Server {
	t.Helper()
	binary, more := Binary(t), []string(nil)
	method := "kubernetes"
	if plugin := kubernetesPlugin(binary); plugin != "" {
		more = append(more, "-dev-plugin-dir="+filepath.Dir(plugin))
		method = filepath.Base(plugin)
	}
	s := dev(t, more...)
	s.mount(t, "sys/mounts/transit", map[string]any{"type": "transit"})
	s.mount(t, "sys/auth/kubernetes", map[string]any{"type": method})
	return s
}

func dev(t testing.TB, more ...string) *Server {
	t.Helper()
	address := local(freePorts(t, 2)) // it takes the next port for the cluster it never has
	s := &Server{
		Address: "http://" + address,
		Token:   rootToken,
		process: &process{binary: Binary(t), dir: t.TempDir()},
		client:  &http.Client{Transport: &http.Transport{}},
	}
	s.process.args = append([]string{
		"server", "-dev", "-dev-root-token-id=" + rootToken, "-dev-listen-address=" + address, "-dev-no-store-token",
	}, more...)
	t.Cleanup(func() {
		s.process.kill()
		s.client.CloseIdleConnections()
	})
	s.start(t)
	s.until(t, "serve "+kvMount, func() bool {
		a, err := s.try(t.Context(), http.MethodGet, kvMount+"/config", nil)
		return err == nil && a.Status == http.StatusOK
	})
	s.until(t, "print its unseal key", func() bool {
		s.unsealKey = s.printedKey(t)
		return s.unsealKey != ""
	})
	return s
}

// printedKey is the unseal key that a server in memory prints once it serves.
func (s *Server) printedKey(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.process.log())
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^Unseal Key: (\S+)\n`).FindSubmatch(text)
	if found == nil {
		return ""
	}
	return string(found[1])
}
