/* The least that can be timed: ONNX Runtime's C API, one session, one bound query, a clock.
 *
 * Usage: harness_loop LIBRARY MODEL WIDTH   (model: input x and output y, float [1, WIDTH])
 * Reads a number of queries per line, times them one by one and prints the median in ns.
 * The library's header is not needed: OrtApi is an append-only table of functions.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    GET_ERROR_MESSAGE = 2, CREATE_ENV = 3, CREATE_SESSION = 7, CREATE_SESSION_OPTIONS = 10,
    SET_INTRA_OP_THREADS = 24, SET_INTER_OP_THREADS = 25, CREATE_RUN_OPTIONS = 39,
    CREATE_TENSOR_WITH_DATA = 49, CREATE_CPU_MEMORY_INFO = 69, RUN_WITH_BINDING = 133,
    CREATE_IO_BINDING = 134, BIND_INPUT = 136, BIND_OUTPUT = 137
};
enum { API_VERSION = 11, WARNING = 2, FLOAT = 1 };

typedef struct {
    void **(*get_api)(uint32_t version);
    const char *(*version)(void);
} ApiBase;

static void **api;

static void check(void *status) {
    if (status) {
        fprintf(stderr, "%s\n", ((const char *(*)(void *))api[GET_ERROR_MESSAGE])(status));
        exit(1);
    }
}

#define CALL(index, types, ...) check(((void *(*) types)api[index])(__VA_ARGS__))

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void *bind(void *session, void *memory, int64_t width) {
    void *x, *y, *binding;
    float *in = malloc(width * sizeof *in), *out = malloc(width * sizeof *out);
    int64_t shape[2] = {1, width};
    for (int64_t i = 0; i < width; i++) in[i] = (float)(i % 7) - 3.0f;
    CALL(CREATE_TENSOR_WITH_DATA, (void *, void *, size_t, int64_t *, size_t, int, void **),
         memory, in, width * sizeof *in, shape, 2, FLOAT, &x);
    CALL(CREATE_TENSOR_WITH_DATA, (void *, void *, size_t, int64_t *, size_t, int, void **),
         memory, out, width * sizeof *out, shape, 2, FLOAT, &y);
    CALL(CREATE_IO_BINDING, (void *, void **), session, &binding);
    CALL(BIND_INPUT, (void *, const char *, void *), binding, "x", x);
    CALL(BIND_OUTPUT, (void *, const char *, void *), binding, "y", y);
    return binding;
}

int main(int count, char **args) {
    void *env, *options, *session, *run_options, *memory, *library;
    if (count != 4) return fprintf(stderr, "usage: %s LIBRARY MODEL WIDTH\n", args[0]), 2;
    if (!(library = dlopen(args[1], RTLD_NOW))) return fprintf(stderr, "%s\n", dlerror()), 1;
    api = ((ApiBase * (*)(void)) dlsym(library, "OrtGetApiBase"))()->get_api(API_VERSION);
    CALL(CREATE_ENV, (int, const char *, void **), WARNING, "loop", &env);
    CALL(CREATE_SESSION_OPTIONS, (void **), &options);
    CALL(SET_INTRA_OP_THREADS, (void *, int), options, 1);
    CALL(SET_INTER_OP_THREADS, (void *, int), options, 1);
    CALL(CREATE_SESSION, (void *, const char *, void *, void **), env, args[2], options, &session);
    CALL(CREATE_RUN_OPTIONS, (void **), &run_options);
    CALL(CREATE_CPU_MEMORY_INFO, (int, int, void **), 0, 0, &memory);
    void *binding = bind(session, memory, atoll(args[3]));
    void *(*run)(void *, void *, void *) = (void *(*)(void *, void *, void *))api[RUN_WITH_BINDING];
    int queries;
    while (scanf("%d", &queries) == 1) {
        int64_t *out = malloc(queries * sizeof *out);
        for (int i = 0; i < queries; i++) {
            int64_t start = now();
            void *status = run(session, run_options, binding);
            out[i] = now() - start;
            check(status);
        }
        qsort(out, queries, sizeof *out, compare);
        printf("%lld\n", (long long)out[queries / 2]);
        fflush(stdout);
        free(out);
    }
    return 0;
}
