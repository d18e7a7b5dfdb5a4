// A library with the functions of the CUDA driver that are used, whose device is this
// processor and knows three kernels. It is there to test how the functions are called:
// each checks its arguments, and that the thread has the context. No header is needed.

typedef unsigned long size;
typedef unsigned long long address;

static __thread void *current;
static char context, module, stream;
static char memory[1 << 16];
static size top;
static int contexts, modules, streams, blocks, graphs, executables, capturing;

// How much was not given back.
int left(void) { return contexts + modules + streams + blocks + graphs + executables + (current != 0); }

#define NEED(condition) do { if (!(condition)) return 1000 + __LINE__; } while (0)
#define HERE NEED(current == &context)

int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuInit(unsigned flags) { NEED(flags == 0); return 0; }
int cuGetErrorName(int code, const char **text) { *text = "CUDA_ERROR_OF_TEST"; return code > 1000 ? 0 : 1; }
int cuGetErrorString(int code, const char **text) { *text = "a line of libcuda.c"; return code > 1000 ? 0 : 1; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *device, int index) { NEED(index == 0 || index == 1); *device = index + 7; return 0; }
int cuDeviceGetName(char *name, int n, int device)
{
    NEED(n >= 3 && (device == 7 || device == 8));
    name[0] = 'C';
    name[1] = '0' + device;
    name[2] = 0;
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    NEED((attribute == 75 || attribute == 76) && (device == 7 || device == 8));
    *value = attribute == 75 ? 9 : 0;
    return 0;
}
int cuDeviceTotalMem_v2(size *n, int device) { NEED(device == 7 || device == 8); *n = 5ul << 32; return 0; }

int cuDevicePrimaryCtxRetain(void **out, int device) { NEED(device == 7); *out = &context; contexts++; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { NEED(device == 7 && contexts > 0); contexts--; return 0; }
int cuCtxSetCurrent(void *c) { NEED(c == 0 || c == &context); current = c; return 0; }

int cuModuleLoadDataEx(void **out, const char *text, unsigned n, int *options, void **values)
{
    HERE;
    NEED(n == 2 && options[0] == 5 && options[1] == 6 && (size)values[1] >= 1000);
    int length = 0, words = 0;
    while (text[length])
        words += text[length++] == '\n';
    if (words < 10) {
        char *log = values[0], *complaint = "too few lines";
        while ((*log++ = *complaint++))
            ;
        return 218;
    }
    *out = &module;
    modules++;
    return 0;
}
int cuModuleUnload(void *m) { HERE; NEED(m == &module && modules > 0); modules--; return 0; }

static void add(float *dst, const float *a, const float *b, long n)
{
    for (long i = 0; i < n; i++)
        dst[i] = a[i] + b[i];
}
static void scale(float *dst, const float *x, float s, long n)
{
    for (long i = 0; i < n; i++)
        dst[i] = s * x[i];
}
static void fill(float *dst, float v, long n)
{
    for (long i = 0; i < n; i++)
        dst[i] = v;
}

// What a launch does, with its arguments as they are when it is made.
typedef struct { int kernel; address values[4]; } work;
static work recorded[16];
static int records;

static float number(address v) { union { unsigned u; float f; } x = {(unsigned)v}; return x.f; }

static void run(const work *w)
{
    const address *v = w->values;
    switch (w->kernel) {
    case 1: add((float *)v[0], (float *)v[1], (float *)v[2], v[3]); break;
    case 2: scale((float *)v[0], (float *)v[1], number(v[2]), v[3]); break;
    case 3: fill((float *)v[0], number(v[1]), v[2]); break;
    }
}

int cuModuleGetFunction(size *out, void *m, const char *name)
{
    HERE;
    NEED(m == &module);
    *out = name[0] == 'a' ? 1 : name[0] == 's' ? 2 : name[0] == 'f' ? 3 : 0;
    return *out ? 0 : 500;
}

int cuMemGetInfo_v2(size *unused, size *total) { HERE; *unused = sizeof memory - top; *total = sizeof memory; return 0; }
int cuMemAlloc_v2(address *out, size n)
{
    HERE;
    if (n > sizeof memory - top)
        return 2;
    *out = (address)(memory + top);
    top += n;
    blocks++;
    return 0;
}
int cuMemFree_v2(address a) { HERE; NEED(a >= (address)memory && a < (address)(memory + top)); blocks--; return 0; }

static void copy(char *to, const char *from, size n)
{
    while (n--)
        *to++ = *from++;
}
#define INSIDE(a, n) ((a) >= (address)memory && (a) + (n) <= (address)(memory + sizeof memory))
int cuMemcpyHtoDAsync_v2(address to, const void *from, size n, void *s) { HERE; NEED(INSIDE(to, n) && s == &stream && !capturing); copy((char *)to, from, n); return 0; }
int cuMemcpyDtoHAsync_v2(void *to, address from, size n, void *s) { HERE; NEED(INSIDE(from, n) && s == &stream && !capturing); copy(to, (char *)from, n); return 0; }
int cuMemcpyDtoDAsync_v2(address to, address from, size n, void *s) { HERE; NEED(INSIDE(to, n) && INSIDE(from, n) && s == &stream); copy((char *)to, (char *)from, n); return 0; }
int cuMemsetD8Async(address to, unsigned char value, size n, void *s)
{
    HERE;
    NEED(INSIDE(to, n) && s == &stream);
    for (size i = 0; i < n; i++)
        ((char *)to)[i] = value;
    return 0;
}

int cuStreamCreate(void **out, unsigned flags) { HERE; NEED(flags == 1); *out = &stream; streams++; return 0; }
int cuStreamDestroy_v2(void *s) { HERE; NEED(s == &stream && streams > 0); streams--; return 0; }
int cuStreamSynchronize(void *s) { HERE; NEED(s == &stream && !capturing); return 0; }

int cuLaunchKernel(size f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
    unsigned shared, void *s, void **arguments, void **extra)
{
    HERE;
    NEED(f >= 1 && f <= 3 && gx == 1 && gy == 1 && gz == 1 && bx == 256 && by == 1 && bz == 1);
    NEED(shared == 0 && s == &stream && extra == 0);
    work w = {f};
    for (int i = 0; i < (f == 3 ? 3 : 4); i++)
        w.values[i] = *(address *)arguments[i];
    if (!capturing)
        run(&w);
    else if (records < 16)
        recorded[records++] = w;
    return 0;
}

int cuStreamBeginCapture_v2(void *s, int mode) { HERE; NEED(s == &stream && mode == 2 && !capturing); capturing = 1; records = 0; return 0; }
int cuStreamEndCapture(void *s, size *graph) { HERE; NEED(s == &stream && capturing); capturing = 0; *graph = 0xabcdef0123456789; graphs++; return 0; }
int cuGraphInstantiateWithFlags(size *executable, size graph, address flags)
{
    HERE;
    NEED(graph == 0xabcdef0123456789 && flags == 0);
    *executable = 0x9876543210fedcba;
    executables++;
    return 0;
}
int cuGraphLaunch(size executable, void *s)
{
    HERE;
    NEED(executable == 0x9876543210fedcba && s == &stream);
    for (int i = 0; i < records; i++)
        run(&recorded[i]);
    return 0;
}
int cuGraphExecDestroy(size executable) { HERE; NEED(executable == 0x9876543210fedcba); executables--; return 0; }
int cuGraphDestroy(size graph) { HERE; NEED(graph == 0xabcdef0123456789); graphs--; return 0; }
