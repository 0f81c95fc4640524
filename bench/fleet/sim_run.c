/*
 * Time is a schedule that does not wait: the k-th batch of all is due at a fixed moment, and what an acknowledgement took is
 * counted from its first event, so that a server (or a simulator) that is late cannot make the figures better by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim.h"

enum {
    EVENTS = 512,   /* of epoll at once */
    ENROLLING = 64, /* at once */
    LOOK_MS = 20,
    LINE_MS = 1000,
};

/* ------------------------------------------------------------------------------------------------ the schedule */

/* Is the k-th of something that each agent does every so many ms due? *ret: when it was. */
static bool is_due(const sim *s, uint64_t k, unsigned every_ms, int64_t *ret)
{
    uint64_t n = s->settings->n_agents;

    *ret = s->begin_ms + (int64_t)(k / n * every_ms + k % n * every_ms / n);
    return *ret <= s->now_ms;
}

static int make_due(sim *s)
{
    const sim_settings *with = s->settings;
    int64_t due_ms;
    int r = 0;

    for (; s->makes && is_due(s, s->n_ticks, 1000 / with->events_per_s, &due_ms); s->n_ticks++) {
        sim_agent *a = &s->agents[s->n_ticks % with->n_agents];
        if (s->now_ms - due_ms > s->late_ms)
            s->late_ms = s->now_ms - due_ms;
        sim_events_come(a, a->index < s->n_busy ? s->factor : 1, due_ms);
    }
    for (unsigned i = 0; r == 0 && i < with->n_agents; i++)
        if (s->due_ms[i] && s->due_ms[i] <= s->now_ms)
            r = sim_events_look(&s->agents[i]);
    for (; r == 0 && s->makes && is_due(s, s->n_beats, with->beat_ms, &due_ms); s->n_beats++) {
        sim_agent *a = &s->agents[s->n_beats % with->n_agents];
        r = sim_events_flush(a);
        sim_link_beat(a);
    }
    return r;
}

static void look(sim *s)
{
    for (unsigned i = 0; i < s->settings->n_agents; i++) {
        sim_agent *a = &s->agents[i];
        if (a->phase == SIM_WAITING && a->due_ms <= s->now_ms && (a->cert || s->n_shaking < ENROLLING))
            sim_link_connect(a);
        else
            sim_link_look(a);
    }
}

/* ------------------------------------------------------------------------------------------------ reports */

static void print_line(sim *s)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("{\"ms\":%lld,\"enrolled\":%u,\"up\":%u,\"made\":%llu,\"acked\":%llu,\"batches\":%llu,\"bytes\":%llu,\"late_"
           "ms\":%lld,"
           "\"connections\":%llu,\"breaks\":%llu,\"forgot\":%llu,\"cpu_ms\":%lld,\"gather_ms\":%llu,\"refused\":{",
           (long long)s->now_ms, s->n_enrolled, s->n_up, (unsigned long long)s->n_made, (unsigned long long)s->n_acked,
           (unsigned long long)s->n_batches, (unsigned long long)s->n_bytes, (long long)s->late_ms,
           (unsigned long long)s->n_connections, (unsigned long long)s->n_breaks, (unsigned long long)s->n_forgot,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000,
           (unsigned long long)s->agents[0].gather_ms);
    for (unsigned i = 0, n = 0; i < SIM_REFUSALS; i++)
        if (s->n_refused[i])
            printf("%s\"%s\":%llu", n++ ? "," : "", xt_refusal_words_get(i)->name, (unsigned long long)s->n_refused[i]);
    puts("}}");
    fflush(stdout);
    s->late_ms = 0;
}

static unsigned percentile(const sim_histogram *h, unsigned per_mille)
{
    uint64_t before = 0;
    unsigned ms = 0;

    while (ms < SIM_MAX_LATENCY_MS && (before += h->at_ms[ms]) * 1000 < h->n * per_mille)
        ms++;
    return ms;
}

static void print_phase(sim *s)
{
    for (unsigned i = 0; i < 2; i++) {
        const sim_histogram *h = &s->took[i];
        printf("%s\"n\":%llu,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"p999\":%u}",
               i ? ",\"busy\":{" : "{\"phase\":{\"others\":{", (unsigned long long)h->n, percentile(h, 500),
               percentile(h, 900), percentile(h, 990), percentile(h, 999));
    }
    puts("}}");
    fflush(stdout);
    memset(s->took, 0, sizeof s->took);
}

/* A line for each host: its name and its events that are acknowledged. */
static int write_counts(const sim *s, const char *path)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return -errno;
    for (unsigned i = 0; i < s->settings->n_agents; i++)
        fprintf(f, "%s %llu %llu\n", s->agents[i].name, (unsigned long long)s->agents[i].n_acked,
                (unsigned long long)s->agents[i].n_made);
    int r = fclose(f) ? -errno : 0;
    puts("{\"counts\":1}");
    fflush(stdout);
    return r;
}

/* ------------------------------------------------------------------------------------------------ commands */

static uint64_t number(xt_slice *words)
{
    xt_slice word;
    uint64_t v = 0;

    return xt_slice_cut(words, ' ', &word) && xt_slice_parse_u64(word, &v) ? v : 0;
}

/* All within so many ms. */
static void wait_all(sim *s, uint64_t within_ms)
{
    for (unsigned i = 0; i < s->settings->n_agents; i++) {
        sim_agent *a = &s->agents[i];
        if (a->phase != SIM_OFF)
            continue;
        a->phase = SIM_WAITING;
        a->due_ms = s->now_ms + (int64_t)(within_ms * i / s->settings->n_agents);
    }
}

static void mark(sim *s, xt_slice words)
{
    sim_agent *a = &s->agents[number(&words) % s->settings->n_agents];

    free(a->mark);
    a->mark = strndup(words.p, words.n);
}

static int obey(sim *s, xt_slice line)
{
    xt_slice word;

    if (!xt_slice_cut(&line, ' ', &word))
        return 0;
    if (xt_slice_eq(word, XT_S("enroll"))) {
        wait_all(s, 0);
    } else if (xt_slice_eq(word, XT_S("connect"))) {
        wait_all(s, number(&line) * 1000);
    } else if (xt_slice_eq(word, XT_S("start"))) {
        s->makes = true;
        s->begin_ms = s->now_ms;
        s->n_ticks = s->n_beats = 0;
    } else if (xt_slice_eq(word, XT_S("stop"))) {
        s->makes = false;
    } else if (xt_slice_eq(word, XT_S("busy"))) {
        s->n_busy = (unsigned)number(&line);
        s->factor = (unsigned)number(&line);
    } else if (xt_slice_eq(word, XT_S("mark"))) {
        mark(s, line);
    } else if (xt_slice_eq(word, XT_S("phase"))) {
        print_phase(s);
    } else if (xt_slice_eq(word, XT_S("counts"))) {
        char path[512];
        snprintf(path, sizeof path, "%.*s", XT_S_ARGS(line));
        return write_counts(s, path);
    } else if (xt_slice_eq(word, XT_S("end"))) {
        s->ends = true;
    }
    return 0;
}

/* Whoever started this and went away ends it. */
static int read_commands(sim *s, xt_buf *in)
{
    char piece[1024];
    ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
    int r = 0;

    if (n == 0)
        s->ends = true;
    if (n <= 0)
        return 0;
    xt_buf_put(in, xt_slice_of(piece, (size_t)n));
    for (const char *end; r == 0 && in->n && (end = memchr(in->p, '\n', in->n)) != NULL;) {
        size_t length = (size_t)(end - in->p);
        r = obey(s, xt_slice_of(in->p, length));
        xt_buf_consume(in, length + 1);
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ all of it */

static int make_agents(sim *s)
{
    s->agents = calloc(s->settings->n_agents, sizeof *s->agents);
    s->due_ms = calloc(s->settings->n_agents, sizeof *s->due_ms);
    if (!s->agents || !s->due_ms)
        return xt_error_origin(-ENOMEM);
    for (unsigned i = 0; i < s->settings->n_agents; i++) {
        sim_agent *a = &s->agents[i];
        a->all = s;
        a->index = i;
        a->fd = -1;
        a->end = &a->first;
        a->next_sample = i * 97;
        snprintf(a->name, sizeof a->name, "sim-%05u", i);
        a->stream = xt_slice_hash128(xt_slice_str(a->name));
    }
    return 0;
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int loop(sim *s)
{
    XT_CLEANUP(xt_buf_fini) xt_buf in = XT_BUF_INIT;
    struct epoll_event events[EVENTS];
    int64_t look_ms = 0, line_ms = 0;
    int r = 0;

    while (r == 0 && !s->ends) {
        int n = epoll_wait(s->epoll_fd, events, EVENTS, 2);
        s->now_ms = xt_clock_mono_ms(&xt_clock_system);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                sim_link_on(events[i].data.ptr);
            else
                r = read_commands(s, &in);
        }
        if (r == 0)
            r = make_due(s);
        if (s->now_ms >= look_ms) {
            look(s);
            look_ms = s->now_ms + LOOK_MS;
        }
        if (s->now_ms >= line_ms) {
            print_line(s);
            line_ms = s->now_ms + LINE_MS;
        }
    }
    return r;
}

int sim_run(const sim_settings *settings, xt_problem *reterr_problem)
{
    struct epoll_event event = {.events = EPOLLIN};
    sim *s = calloc(1, sizeof *s);

    if (!s)
        return xt_error_origin(-ENOMEM);
    raise_limit();
    s->settings = settings;
    s->epoll_fd = -1;
    int r = make_agents(s);
    if (r == 0)
        r = sim_samples_read(s, reterr_problem);
    if (r == 0)
        r = sim_links_open(s, reterr_problem);
    if (r == 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event))
        r = xt_error_origin(-errno);
    if (r == 0)
        r = loop(s);
    sim_links_close(s);
    free(s->agents);
    free(s->due_ms);
    free(s->samples);
    xt_buf_fini(&s->sample_bytes);
    xt_buf_fini(&s->scratch);
    xt_buf_fini(&s->frame);
    free(s);
    return r;
}
