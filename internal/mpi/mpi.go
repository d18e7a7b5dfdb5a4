//go:build mpi && linux

package mpi

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/mega-go/mega/internal/collective"
	"golang.org/x/sys/unix"
)

// Built says whether the program can join a job.
const Built = true

// An abi is how a library's C interface writes the handles that are needed here:
// machine words, pointers in some and integers in others.
type abi struct {
	world, bytes, inPlace, statusIgnore, errorsReturn uintptr
}

// The values are those of the header files: mpi.h of MPICH 4.0 (and of libraries of
// the MPICH ABI Compatibility Initiative), and appendix A of the MPI 5.0 standard.
var (
	mpich  = abi{world: 0x44000000, bytes: 0x4c00010d, inPlace: ^uintptr(0), statusIgnore: 1, errorsReturn: 0x54000001}
	mpi5   = abi{world: 0x101, bytes: 0x247, inPlace: 1, statusIgnore: 0, errorsReturn: 0x142}
	mpichs = []string{"MPICH", "MVAPICH", "Intel(R) MPI"} // how their versions begin
)

// threadFunneled is MPI_THREAD_FUNNELED: one thread calls MPI. It is 1 in all
// libraries but those of MPI 5's ABI, where levels are multiples of 1024.
const (
	threadFunneled  = 1
	threadFunneled5 = 1024
)

// library is the functions of an MPI library.
type library struct {
	abi
	name     string // and version, in a line
	funneled int32

	getVersion func(text, length unsafe.Pointer) int32
	initThread func(argc, argv uintptr, required int32, provided unsafe.Pointer) int32
	onError    func(comm, handler uintptr) int32
	errorText  func(code int32, text, length unsafe.Pointer) int32
	rank, size func(comm uintptr, n unsafe.Pointer) int32
	allToAll   func(send unsafe.Pointer, n int32, t uintptr, recv unsafe.Pointer, m int32, u, comm uintptr) int32
	allGather  func(send uintptr, n int32, t uintptr, recv unsafe.Pointer, m int32, u, comm uintptr) int32
	broadcast  func(x unsafe.Pointer, n int32, t uintptr, root int32, comm uintptr) int32
	barrier    func(comm uintptr, request unsafe.Pointer) int32
	test       func(request, flag unsafe.Pointer, status uintptr) int32
	finalize   func() int32
	abort      func(comm uintptr, code int32) int32
}

// load opens the MPI library that belongs to a launcher.
func load(names []string) (*library, error) {
	runtime.LockOSThread() // the system's loader tells a thread about its own errors
	defer runtime.UnlockOSThread()
	// UCX would end the process at a nil dereference that Go recovers from.
	os.Setenv("UCX_ERROR_SIGNALS", "")
	if name := os.Getenv(LibraryVariable); name != "" {
		names = []string{name}
	}
	var failures []error
	for _, name := range names {
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err == nil {
			return bind(handle)
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("no MPI library: %w; %s names one", errors.Join(failures...), LibraryVariable)
}

// bind finds the functions and handles of an open library.
func bind(handle uintptr) (l *library, err error) {
	defer func() { // purego panics if a function is missing
		if missing := recover(); missing != nil {
			err = fmt.Errorf("the MPI library is not usable: %v", missing)
		}
	}()
	l = &library{funneled: threadFunneled}
	for name, f := range map[string]any{
		"Get_library_version": &l.getVersion, "Init_thread": &l.initThread, "Comm_set_errhandler": &l.onError,
		"Error_string": &l.errorText, "Comm_rank": &l.rank, "Comm_size": &l.size, "Alltoall": &l.allToAll,
		"Allgather": &l.allGather, "Bcast": &l.broadcast, "Ibarrier": &l.barrier, "Test": &l.test,
		"Finalize": &l.finalize, "Abort": &l.abort,
	} {
		purego.RegisterLibFunc(f, handle, "MPI_"+name)
	}
	version := text(func(p, n unsafe.Pointer) { l.getVersion(p, n) })
	l.name, _, _ = strings.Cut(version, "\n")
	symbol := func(name string) uintptr {
		p, e := purego.Dlsym(handle, name)
		err = errors.Join(err, e)
		return p
	}
	switch {
	case standard(handle):
		l.abi, l.funneled = mpi5, threadFunneled5
	case strings.HasPrefix(version, "Open MPI"):
		l.abi = abi{symbol("ompi_mpi_comm_world"), symbol("ompi_mpi_byte"), 1, 0, symbol("ompi_mpi_errors_return")}
	case strings.Contains(version, mpichs[0]), strings.HasPrefix(version, mpichs[1]), strings.HasPrefix(version, mpichs[2]):
		l.abi = mpich
	default:
		err = fmt.Errorf("the MPI library is %q, want Open MPI, MPICH or one with the ABI of MPI 5", l.name)
	}
	return l, err
}

// standard reports whether a library has the ABI of MPI 5, by asking it.
func standard(handle uintptr) bool {
	f, err := purego.Dlsym(handle, "MPI_Abi_get_version")
	if err != nil {
		return false
	}
	var version func(major, minor unsafe.Pointer) int32
	purego.RegisterFunc(&version, f)
	var major, minor int32
	return version(unsafe.Pointer(&major), unsafe.Pointer(&minor)) == 0 && major > 0
}

// text calls a function of MPI that returns a text.
func text(call func(text, length unsafe.Pointer)) string {
	const longest = 8192 // MPI_MAX_LIBRARY_VERSION_STRING
	buffer, n := make([]byte, longest), int32(0)
	call(unsafe.Pointer(&buffer[0]), unsafe.Pointer(&n))
	return string(buffer[:max(0, min(n, longest))])
}

// A process is this process of the job: its Transport.
type process struct {
	*library
	number, count int
	report        func(rank int, err error) int
}

// Open joins the job that a launcher has started this process for. All methods of
// the result, but Abort, must be called by the thread that calls Open. report is
// told why the job is aborted, and returns the status that this process ends with.
func Open(report func(rank int, err error) int) (collective.Transport, error) {
	l := launched()
	if l == nil {
		return nil, errors.New("no launcher has started several processes")
	}
	lib, err := load(l.libraries)
	if err != nil {
		return nil, err
	}
	p := &process{library: lib, report: report}
	var provided, n int32
	if err := p.check("MPI_Init_thread", p.initThread(0, 0, p.funneled, unsafe.Pointer(&provided))); err != nil {
		return nil, err
	}
	if provided < p.funneled {
		return nil, fmt.Errorf("%s cannot be called by one thread of several", p.name)
	}
	p.onError(p.world, p.errorsReturn)
	p.rank(p.world, unsafe.Pointer(&n))
	p.number = int(n)
	p.size(p.world, unsafe.Pointer(&n))
	p.count = int(n)
	if want := number(l.size); p.count != want {
		return nil, fmt.Errorf("%s started %d processes, and %s knows of %d: the library is not the launcher's (%s names another, and srun has a plug-in for each, such as pmix)",
			l.name, want, p.name, p.count, LibraryVariable)
	}
	return p, nil
}

// check returns the error that a code stands for.
func (l *library) check(call string, code int32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", call, text(func(p, n unsafe.Pointer) { l.errorText(code, p, n) }))
}

func (p *process) Rank() int { return p.number }

func (p *process) Size() int { return p.count }

// Memory is off Go's heap and never unmapped: libraries register memory with the
// network, and do not see what Go's runtime unmaps. Each page is touched, so that
// it is there when it is registered.
func (p *process) Memory(n int) []byte {
	b, err := unix.Mmap(-1, 0, max(n, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Sprintf("mpi: %d bytes: %v", n, err)) // as make does
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 0
	}
	return b[:n]
}

// most is how many bytes a call moves for each process: counts are C's int.
const most = 1 << 30

func (p *process) AllToAll(recv, send []byte) error {
	n := len(send) / p.count
	if n > most {
		return fmt.Errorf("parts of %d bytes, want %d at most: a smaller bucket_mb", n, most)
	}
	return p.check("MPI_Alltoall", p.allToAll(pointer(send), int32(n), p.bytes, pointer(recv), int32(n), p.bytes, p.world))
}

func (p *process) AllGather(recv, send []byte) error {
	if len(send) == 0 {
		return nil
	}
	if len(send) > most {
		return fmt.Errorf("parts of %d bytes, want %d at most: a smaller bucket_mb", len(send), most)
	}
	from := uintptr(pointer(send))
	if own := recv[p.number*len(send):]; pointer(own) == pointer(send) {
		from = p.inPlace // MPI forbids that the memory overlaps
	}
	err := p.check("MPI_Allgather", p.allGather(from, int32(len(send)), p.bytes, pointer(recv), int32(len(send)), p.bytes, p.world))
	runtime.KeepAlive(send)
	return err
}

func (p *process) Broadcast(x []byte, root int) error {
	for len(x) > 0 {
		n := min(len(x), most)
		if err := p.check("MPI_Bcast", p.broadcast(pointer(x), int32(n), p.bytes, int32(root), p.world)); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// Rendezvous polls, ever more seldom: blocking calls of MPI keep a core busy.
func (p *process) Rendezvous() error {
	var request, flag uint64 // as large as any library's
	if err := p.check("MPI_Ibarrier", p.barrier(p.world, unsafe.Pointer(&request))); err != nil {
		return err
	}
	for pause := time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		if err := p.check("MPI_Test", p.test(unsafe.Pointer(&request), unsafe.Pointer(&flag), p.statusIgnore)); err != nil {
			return err
		}
		if uint32(flag) != 0 {
			return nil
		}
		time.Sleep(pause)
	}
}

func (p *process) Close() error { return p.check("MPI_Finalize", p.finalize()) }

// grace is how long other processes wait for process 0 to report an error that all
// have met, and how long the library has to end the job.
const grace = time.Second

// Abort reports err and ends this process and, by the library or the launcher, all
// others. It never returns.
func (p *process) Abort(err error) {
	if p.number > 0 {
		time.Sleep(grace)
	}
	status := p.report(p.number, err)
	time.Sleep(grace / 2)                             // launchers drop what they have not yet passed on
	time.AfterFunc(grace, func() { os.Exit(status) }) // the library may be waiting for what never comes
	p.abort(p.world, int32(status))
	select {}
}

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
