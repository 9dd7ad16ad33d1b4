package arrival_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"embedseal/adapters/internal/arrival"
)

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func TestTheKernelSaysWhenDataCameIn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	asks := true
	a := arrival.New(server, func() bool { return asks })
	if a == nil {
		t.Skip("this system does not say")
	}
	buffer := make([]byte, 16)
	for deadline := time.Now().Add(10 * time.Second); a.At() == 0; { // the kernel begins when it is first asked
		if time.Now().After(deadline) {
			t.Fatal("the kernel does not say")
		}
		write(t, client, "x")
		if _, err := a.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		before := time.Now()
		write(t, client, "xy")
		after := time.Now()
		time.Sleep(50 * time.Millisecond)
		if n, err := a.Read(buffer[:1]); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := a.Read(buffer); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if at := time.Unix(0, a.At()); at.Before(before.Add(-time.Millisecond)) || at.After(after.Add(time.Millisecond)) {
			t.Errorf("came in at %s, sent from %s to %s", at, before, after)
		}
	}
	if allocations := testing.AllocsPerRun(100, func() {
		if _, err := client.Write(buffer[:1]); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}); allocations != 0 {
		t.Errorf("%v allocations a read", allocations)
	}
	asks = false
	write(t, client, "x")
	if n, err := a.Read(buffer); n != 1 || err != nil || a.At() != 0 {
		t.Errorf("%d %v, and %d when nobody asked", n, err, a.At())
	}
	asks = true
	if err := server.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if n, err := a.Read(buffer); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%d %v", n, err)
	}
	if err := server.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Read(buffer); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d %v", n, err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Read(buffer); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%d %v", n, err)
	}
}
