/*
 * A sender is a host's decoder, found by name, in a list by its last line: the oldest is who is forgotten when a host too many
 * comes.
 */
#include "input/senders.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "event/decoder.h"
#include "input/recent.h"

#define ASK_AGAIN_MS 60000 /* after which a host may have got another id, having enrolled */

typedef struct sender {
    struct sender *newer, *older;
    xt_senders *of;
    xt_decoder *decoder;
    int64_t asked_ms;
    size_t n_open_bytes;                 /* as last counted */
    uint64_t last_line;                  /* its hash */
    bool is_kept, has_changed, had_open; /* since or at the last picture of what waits */
    xt_slice name;                       /* behind this */
    char id[33];
} sender;

struct xt_senders {
    xt_senders_settings settings;
    xt_secret_seal_key seal_to;
    xt_map map;
    sender *newest, *oldest;
    xt_recent lines;
    xt_senders_stats stats; /* of decoders that are gone, but for n_other, n_repeated, n_hosts, n_open_bytes */
    xt_problem problem;
};

int xt_senders_new(const xt_senders_settings *settings, xt_senders **ret)
{
    xt_senders *s = calloc(1, sizeof *s);
    if (!s)
        return xt_error_origin(-ENOMEM);
    s->settings = *settings;
    s->settings.secrets = xt_secret_rules_ref(settings->secrets);
    if (settings->seal_to)
        s->seal_to = *settings->seal_to;
    s->settings.seal_to = settings->seal_to ? &s->seal_to : NULL;
    s->problem = XT_PROBLEM_INIT;
    int r = xt_recent_init(&s->lines, settings->n_lines ? settings->n_lines : XT_SENDERS_LINES);
    if (r) {
        xt_senders_free(s);
        return xt_error_trace(r);
    }
    *ret = s;
    return 0;
}

/* ---- one host ---- */

static void list_remove(xt_senders *s, sender *of)
{
    *(of->newer ? &of->newer->older : &s->newest) = of->older;
    *(of->older ? &of->older->newer : &s->oldest) = of->newer;
}

static void list_put(xt_senders *s, sender *of)
{
    of->newer = NULL;
    of->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = of;
    s->newest = of;
}

static void stats_add(xt_senders_stats *to, const sender *of)
{
    xt_decoder_stats from = xt_decoder_stats_get(of->decoder);
    to->n_lines += from.n_lines;
    to->n_records += from.n_records;
    to->n_events += from.n_events;
    to->n_unparsed += from.n_unparsed;
    to->n_late += from.n_late;
    to->n_timeout += from.n_timeout;
}

static void count_open(xt_senders *s, sender *of)
{
    size_t n = xt_decoder_open_bytes(of->decoder);
    s->stats.n_open_bytes += n - of->n_open_bytes;
    of->n_open_bytes = n;
}

static int sender_flush(xt_senders *s, sender *of)
{
    int r = xt_decoder_flush(of->decoder);
    count_open(s, of);
    return r;
}

static void sender_free(xt_senders *s, sender *of)
{
    stats_add(&s->stats, of);
    s->stats.n_open_bytes -= of->n_open_bytes;
    s->stats.n_hosts--;
    list_remove(s, of);
    (void)xt_map_remove(&s->map, of->name);
    xt_decoder_free(of->decoder);
    free(of);
}

static int sender_forget(xt_senders *s, sender *of)
{
    int r = sender_flush(s, of);
    sender_free(s, of);
    return r;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    const sender *of = context;
    (void)arena;
    return of->of->settings.on_event(of->of->settings.context, event);
}

static int sender_open(xt_senders *s, xt_slice name, int64_t now_ms, bool keep, sender **ret)
{
    sender *of = calloc(1, sizeof *of + name.n);
    if (!of)
        return xt_error_origin(-ENOMEM);
    memcpy(of + 1, name.p, name.n);
    of->name = xt_slice_of(of + 1, name.n);
    of->of = s;
    of->asked_ms = now_ms;
    s->settings.host_id(s->settings.context, of->name, of->id);
    xt_decoder_settings settings = {
        .origin = {.host_name = of->name, .host_id = xt_slice_str(of->id)},
        .live = true,
        .is_logged = true,
        .is_one_of_many = true,
        .follows_sessions = true,
        .timeout_ms = keep ? XT_SENDERS_KEPT_MS : 0,
        .secrets = s->settings.secrets,
        .seal_to = s->settings.seal_to,
        .on_event = on_event,
        .context = of,
    };
    int r = xt_decoder_new(&settings, &of->decoder);
    if (r == 0)
        r = xt_map_put(&s->map, of->name, of, NULL);
    if (r) {
        if (of->decoder)
            xt_decoder_free(of->decoder);
        free(of);
        return xt_error_trace(r);
    }
    list_put(s, of);
    s->stats.n_hosts++;
    *ret = of;
    return 0;
}

/* The host may have enrolled since: what comes from now on is of its other id. */
static int ask_again(xt_senders *s, sender **of, xt_slice name, int64_t now_ms)
{
    bool keep = (*of)->is_kept;
    char id[33];
    (*of)->asked_ms = now_ms;
    s->settings.host_id(s->settings.context, name, id);
    if (strcmp(id, (*of)->id) == 0)
        return 0;
    int r = sender_forget(s, *of);
    return r ? r : sender_open(s, name, now_ms, keep, of);
}

static int sender_get(xt_senders *s, xt_slice name, int64_t now_ms, bool keep, sender **ret)
{
    sender *of = s->newest && xt_slice_eq(s->newest->name, name) ? s->newest : xt_map_find(&s->map, name);
    int r = 0;
    if (!of && s->stats.n_hosts == XT_SENDERS_HOSTS)
        r = sender_forget(s, s->oldest);
    if (r == 0 && !of)
        r = sender_open(s, name, now_ms, keep, &of);
    else if (r == 0 && now_ms - of->asked_ms > ASK_AGAIN_MS)
        r = ask_again(s, &of, name, now_ms);
    if (r)
        return r;
    if (of != s->newest) {
        list_remove(s, of);
        list_put(s, of);
    }
    *ret = of;
    return 0;
}

/* ---- lines ---- */

static xt_slice name_of(xt_slice host, xt_slice line)
{
    xt_slice name = XT_S_NULL;
    if (xt_slice_starts(line, XT_S("node="))) {
        line = xt_slice_skip(line, 5);
        (void)xt_slice_cut(&line, ' ', &name);
    }
    return xt_slice_head(name.n > 0 ? name : host.n > 0 ? host : XT_S("unknown"), XT_SENDERS_MAX_NAME);
}

/* Seen before. The kernel does write two records alike in one event, but then one behind the other. */
static bool is_repeated(xt_senders *s, sender *of, xt_slice line)
{
    xt_record record;
    uint64_t hash = xt_slice_hash(line) * 31 + xt_slice_hash(of->name);
    bool is_twin = hash == of->last_line;
    of->last_line = hash;
    if (!xt_recent_put(&s->lines, hash))
        return false;
    if (is_twin && xt_record_parse_line(line, &record, &s->problem) == 0)
        return !xt_decoder_is_open(of->decoder, &record);
    s->problem = XT_PROBLEM_INIT;
    return true;
}

/*
 * An event or a record was lost on its way out: whoever sends all of it again has to be heard. What did not get lost is known
 * by the ids of its events, or waits and takes no record twice. Hands r on.
 */
static int or_forget(xt_senders *s, int r)
{
    if (r >= 0)
        return r;
    xt_recent_clear(&s->lines);
    for (sender *of = s->newest; of; of = of->older) {
        of->last_line = 0;
        xt_decoder_forget(of->decoder);
    }
    return r;
}

static int feed(xt_senders *s, xt_slice host, xt_slice line, int64_t now_ms, bool keep)
{
    sender *of = NULL;
    if (xt_slice_find(line, XT_S("audit(")) < 0) {
        s->stats.n_other++;
        return XT_SENDERS_E_OTHER;
    }
    int r = sender_get(s, name_of(host, line), now_ms, keep, &of);
    if (r == 0)
        r = xt_decoder_tick(of->decoder, now_ms);
    if (r)
        return r;
    if (is_repeated(s, of, line)) {
        s->stats.n_repeated++;
        return XT_SENDERS_E_REPEATED;
    }
    of->is_kept |= keep;
    of->has_changed = true;
    r = xt_decoder_feed_line(of->decoder, line);
    count_open(s, of);
    if (r == 0 && s->stats.n_open_bytes > XT_SENDERS_OPEN_BYTES)
        r = sender_flush(s, of);
    return r;
}

int xt_senders_feed(xt_senders *s, xt_slice host, xt_slice line, int64_t now_ms)
{
    return or_forget(s, feed(s, host, line, now_ms, false));
}

int xt_senders_feed_kept(xt_senders *s, xt_slice host, xt_slice line, int64_t now_ms)
{
    return or_forget(s, feed(s, host, line, now_ms, true));
}

int xt_senders_finish_titled(xt_senders *s)
{
    int r = 0;
    for (sender *of = s->newest; of && r == 0; of = of->older) {
        if (of->n_open_bytes == 0)
            continue;
        r = xt_decoder_flush_titled(of->decoder);
        count_open(s, of);
    }
    return or_forget(s, r);
}

static int put_record(void *context, const xt_record *record)
{
    xt_record_format(record, context);
    xt_buf_putc(context, '\n');
    return 0;
}

int xt_senders_open_each(xt_senders *s, int (*each)(void *context, xt_slice host, xt_slice lines), void *context)
{
    XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
    int r = 0;
    for (sender *of = s->newest; of && r == 0; of = of->older) {
        if (!of->is_kept || (!of->has_changed && !of->had_open) || (of->n_open_bytes == 0 && !of->had_open))
            continue;
        xt_buf_reset(&lines);
        (void)xt_decoder_open_each(of->decoder, put_record, &lines);
        r = xt_buf_done(&lines);
        if (r == 0)
            r = each(context, of->name, xt_buf_slice(&lines));
        of->has_changed = false;
        of->had_open = of->n_open_bytes > 0;
    }
    return r;
}

int xt_senders_tick(xt_senders *s, int64_t now_ms)
{
    int r = 0;
    for (sender *of = s->newest; of && r == 0; of = of->older) {
        if (of->n_open_bytes == 0)
            continue;
        r = xt_decoder_tick(of->decoder, now_ms);
        count_open(s, of);
    }
    return or_forget(s, r);
}

int xt_senders_finish(xt_senders *s)
{
    int r = 0;
    for (sender *of = s->newest; of && r == 0; of = of->older)
        r = sender_flush(s, of);
    return or_forget(s, r);
}

xt_senders_stats xt_senders_stats_get(const xt_senders *s)
{
    xt_senders_stats stats = s->stats;
    for (const sender *of = s->newest; of; of = of->older)
        stats_add(&stats, of);
    return stats;
}

xt_senders *xt_senders_free(xt_senders *s)
{
    if (!s)
        return NULL;
    while (s->newest)
        sender_free(s, s->newest);
    xt_map_fini(&s->map);
    xt_recent_fini(&s->lines);
    xt_secret_rules_unref(s->settings.secrets);
    free(s);
    return NULL;
}
