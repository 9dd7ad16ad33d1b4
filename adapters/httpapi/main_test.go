package httpapi_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the package when a goroutine of a server or of a connection
// outlives the tests.
func TestMain(m *testing.M) {
	status := m.Run()
	if status == 0 {
		status = leaks()
	}
	os.Exit(status)
}

// leaks waits for what is ending, and prints what does not.
func leaks() int {
	var left []string
	for range 100 {
		if left = strangers(); len(left) == 0 {
			return 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Printf("%d goroutines outlive the tests:\n%s\n", len(left), strings.Join(left, "\n\n"))
	return 1
}

// strangers are the stacks of goroutines that run our code or the transport's.
func strangers() []string {
	buffer := make([]byte, 8<<20)
	var found []string
	for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		ours := strings.Contains(stack, "embedseal/") || strings.Contains(stack, "net/http.") || strings.Contains(stack, "net.(*")
		if ours && !strings.Contains(stack, "httpapi_test.strangers") {
			found = append(found, stack)
		}
	}
	return found
}
