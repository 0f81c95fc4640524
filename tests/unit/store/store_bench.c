/*
 * Figures of the store on real events: audit text on standard input is decoded, cut into batches, appended, sealed
 * and scanned. Usage: store_bench [EVENTS A BATCH] [BATCHES A COMMIT] < audit.log
 */
#include <time.h>

#include "event/decoder.h"
#include "store_fixture.h"

typedef struct bench {
    sender s;
    uint64_t per_batch, n_in_batch, n_events;
    xt_store_batch *batches;
    size_t n_batches, cap;
    xt_arena arena;
} bench;

static void batch_end(bench *b)
{
    if (b->n_in_batch == 0)
        return;
    xt_store_batch batch = sender_batch(&b->s, b->n_in_batch, true);
    batch.events = xt_arena_copy(&b->arena, batch.events);
    batch.frame = xt_arena_copy(&b->arena, batch.frame);
    if (b->n_batches == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->batches = reallocarray(b->batches, b->cap, sizeof *b->batches);
    }
    b->batches[b->n_batches++] = batch;
    xt_buf_reset(&b->s.events);
    b->n_in_batch = 0;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    bench *b = context;

    xt_event_batch_put(&b->s.events, event);
    b->n_events++;
    if (++b->n_in_batch == b->per_batch)
        batch_end(b);
    return 0;
}

static double seconds(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_0, wall_0;

static void start(void)
{
    cpu_0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
    wall_0 = seconds(CLOCK_MONOTONIC);
}

static void stop(const char *what, uint64_t n)
{
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_0, wall = seconds(CLOCK_MONOTONIC) - wall_0;

    printf("%-28s %8.0f ms, CPU %7.0f ms, %9.0f events/s, %.2f CPU s per 1M\n", what, wall * 1e3, cpu * 1e3,
           (double)n / wall, cpu * 1e6 / (double)n);
}

static uint64_t folder_bytes(const char *dir, const char *sub)
{
    char path[600];
    struct stat st;
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/%s", dir, sub);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s/%s", dir, sub, e->d_name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            n += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    return n;
}

static void scan(xt_store *store, const char *what, xt_field_set fields, uint64_t n_events)
{
    xt_scan_spec spec = {.to_ms = XT_TIMESTAMP_MAX_MS};
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_column *column;
    xt_scan *s;

    start();
    must(xt_scan_open(store, &spec, &s, &problem), &problem);
    xt_scan_reader *reader = xt_scan_reader_new(s);
    for (size_t i = 0; i < xt_scan_parts(s); i++) {
        xt_scan_reader_begin(reader, i);
        for (unsigned f = 1; f < XT_F_END; f++)
            if (xt_field_set_has(&fields, (xt_field)f) && xt_field_find(f) && !(xt_field_find(f)->flags & XT_VIRTUAL))
                must(xt_scan_column(reader, (xt_field)f, &column, &problem), &problem);
    }
    xt_scan_reader_free(reader);
    xt_scan_close(s);
    stop(what, n_events);
}

int main(int argc, char **argv)
{
    bench b = {.per_batch = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000};
    size_t per_commit = argc > 2 ? strtoul(argv[2], NULL, 10) : 8;
    xt_decoder_settings settings = {
        .origin = {.host_name = XT_S("fleet-1")}, .source = "stdin", .on_event = on_event, .context = &b};
    xt_decoder *decoder = NULL;
    xt_problem problem = XT_PROBLEM_INIT;
    static char piece[1 << 20];
    size_t n, text_bytes = 0;

    sender_init(&b.s, 1);
    xt_arena_init(&b.arena, SIZE_MAX);
    if (xt_decoder_new(&settings, &decoder) != 0)
        return 1;
    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0) {
        text_bytes += n;
        if (xt_decoder_feed(decoder, xt_slice_of(piece, n)) != 0)
            return 1;
    }
    if (xt_decoder_finish(decoder) != 0)
        return 1;
    batch_end(&b);
    uint64_t frames = 0, plain = 0;
    for (size_t i = 0; i < b.n_batches; i++) {
        frames += b.batches[i].frame.n;
        plain += b.batches[i].events.n;
    }
    printf("%llu events, %zu batches; bytes an event: text %.0f, canonical %.0f, frames %.1f\n",
           (unsigned long long)b.n_events, b.n_batches, (double)text_bytes / (double)b.n_events,
           (double)plain / (double)b.n_events, (double)frames / (double)b.n_events);

    char *dir = folder_new_in("/tmp");
    xt_store *store = store_open(dir, NULL);
    int *outcomes = calloc(b.n_batches, sizeof *outcomes);
    start();
    for (size_t i = 0; i < b.n_batches; i += per_commit) {
        size_t some = b.n_batches - i < per_commit ? b.n_batches - i : per_commit;
        must(xt_store_append(store, b.batches + i, some, outcomes, &problem), &problem);
        for (size_t k = 0; k < some; k++)
            assert_int_equal(outcomes[k], 0);
    }
    stop("append, durable", b.n_events);
    xt_field_set args = {{0, 0}};
    xt_field_set_add(&args, XT_F_ARGS);
    scan(store, "scan of args, open", args, b.n_events);
    xt_store_close(store);
    start();
    store = store_open(dir, NULL);
    stop("reopen", b.n_events);
    start();
    must(xt_store_seal(store, &problem), &problem);
    stop("seal", b.n_events);
    scan(store, "scan of args, sealed", args, b.n_events);
    scan(store, "scan of all, sealed", ALL_FIELDS, b.n_events);
    start();
    must(xt_store_compact(store, &problem), &problem);
    stop("compact", b.n_events);
    printf("bytes an event: segments %.2f, all files %.2f\n",
           (double)folder_bytes(dir, "segments") / (double)b.n_events,
           (double)(folder_bytes(dir, "segments") + folder_bytes(dir, "")) / (double)b.n_events);
    if (getenv("XT_BENCH_KEEP"))
        printf("%s\n", dir);
    xt_store_close(store);
    if (!getenv("XT_BENCH_KEEP"))
        folder_drop(dir);
    xt_decoder_free(decoder);
    return 0;
}
