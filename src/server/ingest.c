/*
 * A batch is judged whole before any of it is written: one bad event refuses the batch, and the sender, whose spool still has
 * it, is told why. A batch that is there already is not judged again, so that the noise state sees each event once.
 */
#include "server/ingest.h"

#include <errno.h>
#include <stdlib.h>

#include "event/event_derive.h"
#include "server/app_parts.h"
#include "store/derived.h"

void xt_ingest_job_free(xt_ingest_job *job)
{
    xt_buf_fini(&job->payload);
    xt_buf_fini(&job->events);
    xt_buf_fini(&job->derived);
    free(job);
}

/* An event of a few bytes has to be looked at, too. */
size_t xt_ingest_cost(xt_slice payload)
{
    enum { EVENT_COST = 128 };
    xt_batch batch;

    if (xt_batch_decode(payload, &batch, NULL))
        return payload.n;
    return (size_t)(batch.raw_bytes +
                    batch.n_events * EVENT_COST); /* no more events than bytes, of which there is a limit */
}

static int corrupt(xt_ingest_job *job, uint64_t index, const char *sentence)
{
    xt_problem_set(&job->problem, "event %llu of the batch %s", (unsigned long long)index, sentence);
    return XT_STORE_E_CORRUPT;
}

static bool has_server_field(const xt_event *event)
{
    return xt_event_has(event, XT_F_NOISE) || xt_event_has(event, XT_F_RULES) || xt_event_has(event, XT_F_RULE_LEVEL) ||
           xt_event_has(event, XT_F_HOST_GROUP);
}

/*
 * An event that has a serial is the kernel's, and its id follows from host, time and serial: whoever writes another one wants to be
 * found, or left out as known, in another event's place. Of a late record, which has an id of its own, `of` follows from them.
 */
static bool has_anothers_id(const xt_event *event)
{
    xt_field field = xt_event_has(event, XT_F_OF) ? XT_F_OF : XT_F_EVENT_ID;
    xt_hash128 id;

    return xt_event_has(event, XT_F_SERIAL) && xt_event_has(event, XT_F_EVENT_ID) &&
           !(xt_hash128_parse(xt_event_bytes(event, field), &id) && xt_hash128_eq(id, xt_event_own_id(event)));
}

/* What a host may say: its own events, and nothing that the server decides. */
static int check(xt_ingest_job *job, uint64_t index, const xt_event *event)
{
    xt_hash128 id;

    if (!xt_event_has(event, XT_F_TIME) || !xt_event_has(event, XT_F_HOST_ID))
        return corrupt(job, index, "has no time or no host");
    if (xt_event_has(event, XT_F_EVENT_ID) && !xt_hash128_parse(xt_event_bytes(event, XT_F_EVENT_ID), &id))
        return corrupt(job, index, "has an id that is not 32 hexadecimal digits");
    if (has_server_field(event))
        return corrupt(job, index, "carries a field that only the server sets");
    if (job->host_id[0] && !xt_slice_eq(xt_event_bytes(event, XT_F_HOST_ID), xt_slice_str(job->host_id)))
        return corrupt(job, index, "belongs to another host than the one that sent it");
    if (job->host_id[0] && has_anothers_id(event))
        return corrupt(job, index, "has an id that does not follow from its host, time and serial");
    return 0;
}

xt_ingest_hit *xt_ingest_hit_new(xt_arena *arena, uint64_t index, xt_slice event, xt_slice noise, xt_slice group,
                                 const xt_match *matches, size_t n)
{
    xt_ingest_hit *hit = xt_arena_new(arena, xt_ingest_hit);
    xt_match *copy = xt_arena_array(arena, n, sizeof *copy);

    if (!hit || !copy)
        return NULL;
    memcpy(copy, matches, n * sizeof *copy);
    *hit = (xt_ingest_hit){
        .event = event, .noise = noise, .group = group, .index = index, .n_matches = n, .matches = copy};
    return hit;
}

/* Counts the event with its host; imports may mix hosts, agents do not. */
static int count(xt_ingest *in, xt_ingest_job *job, const xt_event *event)
{
    xt_slice host_id = xt_event_bytes(event, XT_F_HOST_ID);
    int64_t t = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    char group[XT_HOST_GROUP_BYTES];

    if (!job->runs || !xt_slice_eq(job->runs->host_id, host_id)) {
        xt_ingest_run *run = xt_arena_new(&in->group_arena, xt_ingest_run);
        if (!run)
            return xt_error_origin(-ENOMEM);
        *run = (xt_ingest_run){
            .next = job->runs, .host_id = host_id, .host_name = xt_event_bytes(event, XT_F_HOST), .last_ms = t};
        job->runs = run;
        xt_hosts_group_of(in->app->hosts, host_id, group);
        run->group = group[0] ? xt_arena_copy(&in->group_arena, xt_slice_str(group)) : XT_S("");
        if (!run->group.p)
            return xt_error_origin(-ENOMEM);
    }
    job->runs->n_events++;
    if (t > job->runs->last_ms)
        job->runs->last_ms = t;
    return 0;
}

/* The fields that the server adds; bytes are in in->scratch until the next call. */
static int server_fields(xt_ingest *in, xt_slice noise, xt_slice group, const xt_match *matches, size_t n,
                         xt_event *fields)
{
    xt_slice ids[XT_DETECT_MAX_MATCHES];

    xt_buf_reset(&in->scratch);
    for (size_t i = 0; i < n; i++)
        ids[i] = matches[i].rule->id;
    if (n)
        xt_list_put(&in->scratch, ids, n);
    int r = xt_buf_done(&in->scratch);
    if (r)
        return xt_error_trace(r);
    if (noise.n)
        xt_event_set_bytes(fields, XT_F_NOISE, noise);
    if (group.n)
        xt_event_set_bytes(fields, XT_F_HOST_GROUP, group);
    if (n) {
        xt_event_set_bytes(fields, XT_F_RULES, xt_buf_slice(&in->scratch));
        xt_event_set_bytes(fields, XT_F_RULE_LEVEL, xt_slice_str(xt_level_name(matches[0].level)));
    }
    return 0;
}

/* What noise and rules say of an event; the fields that come of it are set in `fields`. */
static int ask(xt_ingest *in, const xt_event *event, xt_slice group, xt_event *fields, xt_slice *ret_noise,
               xt_match *ret_matches, size_t *ret_n)
{
    *ret_noise = XT_S_NULL;
    *ret_n = 0;
    int r = xt_noise_tag(in->rules, in->noise, event, &in->event_arena, ret_noise);
    if (r == 0)
        r = xt_ruleset_match(in->rules, event, &in->event_arena, ret_matches, ret_n);
    if (r || (!*ret_n && !ret_noise->n && !group.n))
        return xt_error_fold(r);
    return xt_error_trace(server_fields(in, *ret_noise, group, ret_matches, *ret_n, fields));
}

int xt_ingest_judge(xt_ingest *in, xt_event *event, xt_slice group, xt_slice *ret_noise, xt_match *ret_matches,
                    size_t *ret_n)
{
    xt_arena_reset(&in->event_arena);
    if (group.n)
        xt_event_set_bytes(event, XT_F_HOST_GROUP, group);
    return xt_error_trace(ask(in, event, group, event, ret_noise, ret_matches, ret_n));
}

static int judge(xt_ingest *in, xt_ingest_job *job, uint64_t index, xt_slice bytes, xt_derived_writer *derived)
{
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_event event, fields;
    xt_slice noise;
    size_t n;

    xt_arena_reset(&in->event_arena);
    if (xt_event_decode(bytes, &event, &job->problem))
        return corrupt(job, index, "does not hold together");
    int r = check(job, index, &event);
    if (r == 0)
        r = count(in, job, &event);
    if (r)
        return r;
    xt_slice group = job->runs->group;
    if (group.n)
        xt_event_set_bytes(&event, XT_F_HOST_GROUP, group); /* for rules that ask for it */
    xt_event_reset(&fields);
    r = ask(in, &event, group, &fields, &noise, matches, &n);
    if (r || (!n && !noise.n && !group.n))
        return xt_error_trace(r);
    xt_derived_put(derived, index, &fields);
    if (!n)
        return 0;
    *job->hits_end = xt_ingest_hit_new(&in->group_arena, index, bytes, noise, group, matches, n);
    if (!*job->hits_end)
        return xt_error_origin(-ENOMEM);
    job->hits_end = &(*job->hits_end)->next;
    return 0;
}

static int judge_all(xt_ingest *in, xt_ingest_job *job)
{
    xt_slice rest = xt_buf_slice(&job->events), bytes;
    xt_derived_writer derived = xt_derived_write_to(&job->derived);
    uint64_t i = 0;
    int r = 0;

    for (; r == 0 && xt_event_batch_next(&rest, &bytes); i++)
        r = judge(in, job, i, bytes, &derived);
    if (r == 0 && (rest.n || i != job->batch.n_events))
        r = corrupt(job, i, "is not what the batch announced");
    if (r == 0)
        r = xt_buf_done(&job->derived);
    return r < 0 ? xt_error_trace(r) : r;
}

static int decode(xt_ingest *in, xt_ingest_job *job)
{
    xt_hash128 hash;
    uint64_t last = 0;
    int r = xt_batch_decode(xt_buf_slice(&job->payload), &job->batch, &job->problem);

    if (r)
        return r < 0 ? xt_error_trace(r) : XT_STORE_E_CORRUPT;
    if (job->host_id[0] && job->batch.n_events > XT_BATCH_MAX_EVENTS) {
        xt_problem_set(&job->problem, "it holds more events than an agent puts into one");
        return XT_STORE_E_CORRUPT;
    }
    r = xt_store_stream_get(in->app->store, job->batch.stream, &last, &hash);
    if (r)
        return xt_error_fold(r);
    if (job->batch.number <= last)
        return XT_STORE_E_DUPLICATE;
    if (job->events.n == 0)
        r = xt_batch_events(&job->batch, &job->events, &job->problem);
    return r > 0 ? XT_STORE_E_CORRUPT : xt_error_trace(r);
}

void xt_ingest_prepare(xt_ingest *in, xt_ingest_job *job)
{
    job->problem = XT_PROBLEM_INIT;
    job->runs = NULL;
    job->hits = NULL;
    job->hits_end = &job->hits;
    job->outcome = decode(in, job);
    if (job->outcome == 0)
        job->outcome = judge_all(in, job);
}

int xt_ingest_hit_event(xt_ingest *in, const xt_ingest_hit *hit, xt_event *ret)
{
    int r = xt_event_decode(hit->event, ret, NULL);

    if (r == 0)
        r = server_fields(in, hit->noise, hit->group, hit->matches, hit->n_matches, ret);
    return xt_error_fold(r);
}
