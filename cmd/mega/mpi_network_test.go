//go:build mpi && linux

package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tests in this file put the processes of a job on hosts of their own: namespaces of the
// network, which links of a given rate and delay join. They need root, Open MPI and
// Debian's iproute2:
//
//	CGO_ENABLED=0 go test -tags mpi -c -o mpi.test ./cmd/mega
//	sudo ./mpi.test -test.v -test.run TestMPINetwork -mpi-network

var mpiNetwork = flag.Bool("mpi-network", false, "run TestMPINetwork, as root")

// A network is some hosts, each a namespace of the network called mega-1, mega-2 and so
// on with the address 10.77.0.1, 10.77.0.2 …, around a switch.
type network struct {
	hosts int
	agent string // the program that mpirun starts programs on other hosts with
}

// switchName is the namespace of the switch.
const switchName = "mega-switch"

func hostName(i int) string    { return fmt.Sprint("mega-", i) }
func hostAddress(i int) string { return fmt.Sprint("10.77.0.", i) }

// newNetwork makes a network whose links carry rate each way, in the words of tc, and
// delay packets, which a process in place of the kernel's bridge does.
func newNetwork(t *testing.T, hosts int, rate string, delay time.Duration) *network {
	t.Helper()
	n := &network{hosts: hosts, agent: filepath.Join(t.TempDir(), "agent")}
	write(t, n.agent, `#!/bin/sh
host=mega-${1##*.}
shift
exec ip netns exec $host unshare --uts sh -c 'hostname $0; exec sh -c "$*"' $host "$@"
`)
	if err := os.Chmod(n.agent, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.remove)
	n.remove() // what a killed test has left
	do(t, "ip netns add "+switchName)
	do(t, "ip -n "+switchName+" link add name hub type bridge")
	do(t, "ip -n "+switchName+" link set dev hub up")
	for i := 1; i <= hosts; i++ {
		do(t, "ip netns add "+hostName(i))
		do(t, "ip -n "+hostName(i)+" link set dev lo up")
	}
	if delay > 0 {
		n.delay(t, delay)
	} else {
		n.join(t, rate)
	}
	for i := 1; i <= hosts; i++ {
		do(t, fmt.Sprintf("ip -n %s addr add %s/24 dev wire", hostName(i), hostAddress(i)))
		do(t, fmt.Sprintf("ip -n %s link set dev wire up", hostName(i)))
		do(t, fmt.Sprintf("ip netns exec %s tc qdisc add dev wire root tbf rate %s burst 512kb latency 100ms", hostName(i), rate))
	}
	return n
}

// join joins the hosts by wires to the bridge, which carry rate towards them.
func (n *network) join(t *testing.T, rate string) {
	t.Helper()
	for i := 1; i <= n.hosts; i++ {
		do(t, fmt.Sprintf("ip link add wire netns %s type veth peer name port%d netns %s", hostName(i), i, switchName))
		do(t, fmt.Sprintf("ip -n %s link set dev port%d master hub up", switchName, i))
		do(t, fmt.Sprintf("ip netns exec %s tc qdisc add dev port%d root tbf rate %s burst 512kb latency 100ms", switchName, i, rate))
	}
}

// cut takes host i from the network; mend brings it back.
func (n *network) cut(t *testing.T, i int) {
	t.Helper()
	do(t, fmt.Sprintf("ip -n %s link set dev port%d down", switchName, i))
}

func (n *network) mend(t *testing.T, i int) {
	t.Helper()
	do(t, fmt.Sprintf("ip -n %s link set dev port%d up", switchName, i))
	time.Sleep(3 * time.Second) // the kernel tells of a carrier once a second
}

// remove removes all namespaces.
func (n *network) remove() {
	for i := 1; i <= n.hosts; i++ {
		exec.Command("ip", "netns", "delete", hostName(i)).Run()
	}
	exec.Command("ip", "netns", "delete", switchName).Run()
}

// command returns one that runs a program on the first host.
func (n *network) command(program string, args ...string) *exec.Cmd {
	script := fmt.Sprintf(`hostname %s; exec "$@"`, hostName(1))
	c := exec.Command("ip", append([]string{"netns", "exec", hostName(1), "unshare", "--uts", "sh", "-c", script, "sh", program}, args...)...)
	c.Env = append(os.Environ(), mainVariable+"=1")
	return c
}

// start returns the command of a job of mega with a process on each host. Open MPI
// notices within seven seconds that a host is gone.
func (n *network) start(args ...string) *exec.Cmd {
	hosts := make([]string, n.hosts)
	for i := range hosts {
		hosts[i] = hostAddress(i+1) + ":1"
	}
	return n.command("mpirun.openmpi", append([]string{"--allow-run-as-root", "--bind-to", "none",
		"--mca", "plm_rsh_agent", n.agent, "--mca", "pml", "ob1", "--mca", "btl", "tcp,self",
		"--mca", "btl_tcp_if_include", "wire", "--mca", "oob_tcp_if_include", "wire",
		"--mca", "oob_tcp_keepalive_time", "4", "--mca", "oob_tcp_keepalive_intvl", "1", "--mca", "oob_tcp_keepalive_probes", "3",
		"--host", strings.Join(hosts, ","), "-np", strconv.Itoa(n.hosts), os.Args[0]}, args...)...)
}

// run runs a job, which must succeed, and returns what it prints on standard error.
func (n *network) run(t *testing.T, args ...string) (stderr string) {
	t.Helper()
	c := n.start(args...)
	var diagnostics bytes.Buffer
	c.Stderr = &diagnostics
	if err := c.Run(); err != nil {
		t.Fatalf("%d hosts, mega %s: %v\n%s", n.hosts, strings.Join(args, " "), err, &diagnostics)
	}
	return diagnostics.String()
}

// do runs a command, whose words blanks separate.
func do(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// delay joins the hosts by this process, which hands each packet on after a time: this
// does not need a kernel with netem. The addresses are those of the last byte.
func (n *network) delay(t *testing.T, by time.Duration) {
	t.Helper()
	type packet struct {
		data []byte
		due  time.Time
	}
	wires, queues := make([]int, n.hosts), make([]chan packet, n.hosts)
	for i := range wires {
		wires[i], queues[i] = openTunnel(t, hostName(i+1)), make(chan packet, 1<<16)
		t.Cleanup(func() { unix.Close(wires[i]) })
		go func() { // ends with the test: the kernel ends the reads of namespaces that are gone
			for p := range queues[i] {
				if left := time.Until(p.due); left > 0 {
					ts := unix.NsecToTimespec(int64(left)) // time.Sleep rounds up to a millisecond
					unix.Nanosleep(&ts, nil)
				}
				unix.Write(wires[i], p.data)
			}
		}()
		go func() {
			for {
				data := make([]byte, 1<<16)
				size, err := unix.Read(wires[i], data)
				if err == unix.EINTR {
					continue
				}
				if err != nil {
					return
				}
				if to := int(data[19]) - 1; data[0]>>4 == 4 && to >= 0 && to < n.hosts {
					queues[to] <- packet{data[:size], time.Now().Add(by)}
				}
			}
		}()
	}
}

// openTunnel makes the device wire in a namespace, whose packets are read from and
// written to the descriptor that it returns.
func openTunnel(t *testing.T, namespace string) (descriptor int) {
	t.Helper()
	failure := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		var err error
		descriptor, err = tunnelIn(namespace)
		failure <- err
	}()
	if err := <-failure; err != nil {
		t.Fatalf("a tunnel in %s: %v", namespace, err)
	}
	do(t, "ip -n "+namespace+" link set dev wire mtu 9000 txqueuelen 10000")
	return descriptor
}

// tunnelIn moves the thread into a namespace and makes the device there.
func tunnelIn(namespace string) (descriptor int, err error) {
	at, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return 0, err
	}
	defer at.Close()
	if err := unix.Setns(int(at.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	if descriptor, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return 0, err
	}
	var request [40]byte // struct ifreq of <linux/if.h>
	copy(request[:], "wire")
	binary.NativeEndian.PutUint16(request[unix.IFNAMSIZ:], unix.IFF_TUN|unix.IFF_NO_PI)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(descriptor), unix.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return 0, errno
	}
	return descriptor, nil
}

// needsNetwork skips a test that cannot make a network.
func needsNetwork(t *testing.T) {
	t.Helper()
	if !*mpiNetwork {
		t.Skip("only with -mpi-network")
	}
	for _, program := range []string{"ip", "tc", "unshare", "mpirun.openmpi"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal(err)
		}
	}
}

// links are what the hosts are joined by.
var links = []struct {
	rate  string // each way, in the words of tc
	delay time.Duration
}{{"10gbit", 0}, {"1gbit", 0}, {"1gbit", 100 * time.Microsecond}, {"1gbit", time.Millisecond}}

// TestMPINetwork trains on two and three hosts, over links of several rates and delays:
// weights and moments are, bit for bit, those of as many processes on one host.
func TestMPINetwork(t *testing.T) {
	needsNetwork(t)
	here := launchers[0]
	for hosts := 2; hosts <= 3; hosts++ {
		training := func(dir string) []string {
			return tiny(dir, "--norm-type", "syncbatchnorm", "--dropout", "0.1", "--disable-validation")
		}
		want := filepath.Join(t.TempDir(), "here")
		here.run(t, hosts, training(want)...)
		for _, link := range links {
			t.Run(fmt.Sprint(hosts, " hosts, ", link.rate, ", ", link.delay), func(t *testing.T) {
				got := filepath.Join(t.TempDir(), "hosts")
				newNetwork(t, hosts, link.rate, link.delay).run(t, training(got)...)
				sameCheckpoint(t, "on hosts of their own", got, want)
			})
		}
	}
}

// TestMPINetworkCut cuts a host off in the middle of a training: the job ends within
// seconds and says where it waited, and started again it ends as one that nobody
// disturbed.
func TestMPINetworkCut(t *testing.T) {
	needsNetwork(t)
	n := newNetwork(t, 3, "1gbit", 0)
	dir := filepath.Join(t.TempDir(), "run")
	args := tiny(dir, "--save-interval-updates", "300", "--keep-interval-updates", "2", "--disable-validation", "--collective-timeout", "8",
		"--total-num-update", "1000000", "--max-update", "1000000")
	c := n.start(args...)
	var diagnostics bytes.Buffer
	c.Stderr = &diagnostics
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	meanwhile(t, ended, &diagnostics, func() bool { return updatesSaved(t, dir) > 0 })
	time.Sleep(200 * time.Millisecond) // what is saved waits for longer
	n.cut(t, 3)
	cut := time.Now()
	if err := <-ended; err == nil {
		t.Fatalf("the training went on without a host:\n%s", &diagnostics)
	}
	took := time.Since(cut)
	t.Logf("the job ended %v after the cut:\n%s", took.Round(time.Millisecond), &diagnostics)
	if took > 30*time.Second {
		t.Errorf("the job ended after %v", took)
	}
	waits := regexp.MustCompile(`mega: rank 0: update \d+, .+: has waited 4s for the other processes`)
	if !waits.MatchString(diagnostics.String()) {
		t.Errorf("the job does not say where it waits")
	}
	n.mend(t, 3)
	args = append(args, "--max-update", strconv.Itoa(updatesSaved(t, dir)+7))
	n.run(t, args...)
	whole := filepath.Join(t.TempDir(), "whole")
	n.run(t, append(slices.Clone(args), "--save-dir", whole)...)
	sameCheckpoint(t, "after a cut", dir, whole)
}

// mpiScaling and mpiModel say what TestMPIScaling trains.
var (
	mpiScaling = flag.Bool("mpi-scaling", false, "run TestMPIScaling, as root, with nothing else on the machine")
	mpiText    = flag.String("mpi-text", "", "a text of some megabytes for TestMPIScaling")
)

// TestMPIScaling prints what the network costs: seconds of an update of a language model
// of 13.1 million parameters on two hosts of one thread each, by the rate and delay of the
// links, with gradients that travel while backward goes on and with one bucket, which
// begins when it has ended. The table of docs/scaling.md is made of it.
func TestMPIScaling(t *testing.T) {
	if !*mpiScaling {
		t.Skip("only with -mpi-scaling")
	}
	const updates = 8
	args := func(dir string, more ...string) []string {
		return append([]string{"train", "--preset", "bytes-small", "--text", *mpiText, "--save-dir", dir, "--decoder-embed-dim", "512",
			"--decoder-hidden-dim", "1024", "--decoder-ffn-embed-dim", "1024", "--decoder-z-dim", "128", "--decoder-layers", "4",
			"--max-tokens", "1024", "--variant-block-multiple-max", "2", "--disable-validation", "--no-save", "--profile", "--workers", "1",
			"--max-update", strconv.Itoa(updates)}, more...)
	}
	measure := func(what string, stderr string) {
		number := func(pattern string) float64 {
			m := regexp.MustCompile(pattern).FindStringSubmatch(stderr)
			if m == nil {
				t.Fatalf("no %q in\n%s", pattern, stderr)
			}
			x, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return x / updates
		}
		t.Logf("%s: waited %.3f, moved %.3f, exposed %.3f s an update\n%s", what, number(`waited ([0-9.]+) s for others`),
			number(`then took ([0-9.]+) s`), number(`communication +\d+ +([0-9.]+) s`), stderr)
	}
	for _, link := range links {
		for _, bucket := range []string{"8", "4096"} {
			n := newNetwork(t, 2, link.rate, link.delay)
			stderr := n.run(t, args(filepath.Join(t.TempDir(), "run"), "--bucket-mb", bucket)...)
			measure(fmt.Sprintf("%s, %v, --bucket-mb %s", link.rate, link.delay, bucket), stderr)
		}
	}
}
