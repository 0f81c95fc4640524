/* Names are few, so they stand in an array that is searched from the front, where the frequent ones soon are. */
#include "cli/decode_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/utf8.h"

#define MAX_NAMES  256
#define NAME_BYTES 48

typedef struct name_count {
    char name[NAME_BYTES];
    size_t n_name;
    uint64_t n;
} name_count;

typedef struct counts {
    name_count names[MAX_NAMES];
    size_t n;
    uint64_t n_others;
} counts;

struct xt_decode_stats {
    counts types, actions, flags;
    double wall_s, cpu_s;
};

static double seconds(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int xt_decode_stats_new(xt_decode_stats **ret)
{
    xt_decode_stats *stats = calloc(1, sizeof *stats);
    if (!stats)
        return xt_error_origin(-ENOMEM);
    stats->wall_s = seconds(CLOCK_MONOTONIC);
    stats->cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    *ret = stats;
    return 0;
}

xt_decode_stats *xt_decode_stats_free(xt_decode_stats *stats)
{
    free(stats);
    return NULL;
}

static void count(counts *c, xt_slice name)
{
    name = xt_slice_head(name, NAME_BYTES);
    size_t i = 0;
    while (i < c->n && !xt_slice_eq(xt_slice_of(c->names[i].name, c->names[i].n_name), name))
        i++;
    if (i == MAX_NAMES) {
        c->n_others++;
        return;
    }
    if (i == c->n) {
        c->n++;
        if (name.n > 0)
            memcpy(c->names[i].name, name.p, name.n);
        c->names[i].n_name = name.n;
    }
    c->names[i].n++;
}

void xt_decode_stats_see(xt_decode_stats *stats, const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    for (xt_slice flag; xt_list_next(&iter, &flag);)
        count(&stats->flags, flag);
    if (xt_event_has(event, XT_F_CODE))
        count(&stats->types, xt_event_bytes(event, XT_F_CODE));
    count(&stats->actions, xt_event_bytes(event, XT_F_ACTION));
}

static int by_count(const void *a, const void *b)
{
    const name_count *x = a, *y = b;
    return (y->n > x->n) - (y->n < x->n);
}

static void print_counts(counts *c, const char *title, FILE *to)
{
    if (c->n == 0)
        return;
    qsort(c->names, c->n, sizeof c->names[0], by_count);
    fprintf(to, "%s\n", title);
    for (size_t i = 0; i < c->n; i++) {
        char bytes[4 * NAME_BYTES + 1];
        xt_buf text = XT_BUF_ON(bytes);
        xt_text_visible(&text, xt_slice_of(c->names[i].name, c->names[i].n_name));
        fprintf(to, "  %12llu  %.*s\n", (unsigned long long)c->names[i].n, XT_S_ARGS(xt_buf_slice(&text)));
    }
    if (c->n_others > 0)
        fprintf(to, "  %12llu  others\n", (unsigned long long)c->n_others);
}

static void print_line(FILE *to, uint64_t n, const char *what)
{
    fprintf(to, "  %12llu  %s\n", (unsigned long long)n, what);
}

void xt_decode_stats_print(xt_decode_stats *stats, xt_decoder_stats read, FILE *to)
{
    double wall = seconds(CLOCK_MONOTONIC) - stats->wall_s, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - stats->cpu_s;
    fprintf(to, "read\n");
    print_line(to, read.n_bytes, "bytes");
    print_line(to, read.n_lines, "lines");
    print_line(to, read.n_records, "records");
    print_line(to, read.n_events, "events");
    fprintf(to, "losses\n");
    print_line(to, read.n_unparsed, "lines that are no record, or hold two");
    print_line(to, read.n_spliced, "records that begin inside of another's line");
    print_line(to, read.n_timeout, "events that ended without their last record");
    print_line(to, read.n_late, "records that came after their event was given out");
    print_counts(&stats->types, "events by type of record", to);
    print_counts(&stats->actions, "events by action", to);
    print_counts(&stats->flags, "events by flag", to);
    if (wall > 0 && cpu > 0)
        fprintf(to, "rates\n  %.2f s, %.2f s of CPU: %.0f MB/s of CPU, %.0f events/s of CPU\n", wall, cpu,
                (double)read.n_bytes / 1e6 / cpu, (double)read.n_events / cpu);
}
