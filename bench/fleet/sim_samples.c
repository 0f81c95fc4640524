/* Events are those of bench/generate, taken once; host, time and serial are put over them for each that is sent. */
#include <errno.h>
#include <stdlib.h>

#include "../generate/fleet.h"
#include "base/clock.h"
#include "event/batch_codec.h"
#include "sim.h"
#include "wire/batch.h"

#define SAMPLES 8192

static int on_event(void *context, unsigned host, const xt_event *event)
{
    sim *s = context;

    xt_event_batch_put(&s->sample_bytes, event);
    return 0;
}

static int decode_all(sim *s, xt_problem *reterr_problem)
{
    xt_slice rest = xt_buf_slice(&s->sample_bytes), bytes;
    int r = xt_buf_done(&s->sample_bytes);

    s->samples = calloc(SAMPLES * 2, sizeof *s->samples);
    if (!s->samples || r)
        return xt_error_origin(-ENOMEM);
    while (r == 0 && s->n_samples < SAMPLES * 2 && xt_event_batch_next(&rest, &bytes))
        r = xt_event_decode(bytes, &s->samples[s->n_samples++], reterr_problem);
    return r == 0 && s->n_samples > 0 ? 0 : xt_error_origin(-EINVAL);
}

int sim_samples_read(sim *s, xt_problem *reterr_problem)
{
    xt_capture *capture = NULL;
    xt_fleet *fleet = NULL;
    int r = xt_capture_new(&capture);

    for (unsigned i = 0; r == 0 && i < s->settings->n_captures; i++)
        r = xt_capture_read(capture, s->settings->captures[i], reterr_problem);
    xt_fleet_settings settings = {.n_events = SAMPLES, .seed = s->settings->seed, .on_event = on_event, .context = s};
    if (r == 0)
        r = xt_fleet_new(&settings, capture, &fleet, reterr_problem);
    if (r == 0)
        r = xt_fleet_run(fleet);
    xt_fleet_free(fleet);
    xt_capture_free(capture);
    return r == 0 ? decode_all(s, reterr_problem) : xt_error_fold(r);
}

static void put_event(sim_agent *a, int64_t time_ms, xt_buf *mark, xt_buf *out)
{
    sim *s = a->all;
    xt_event event = s->samples[a->next_sample++ % s->n_samples];

    xt_event_set_num(&event, XT_F_TIME, (uint64_t)time_ms);
    xt_event_set_num(&event, XT_F_SERIAL, ++a->serial);
    xt_event_set_bytes(&event, XT_F_HOST, xt_slice_str(a->name));
    xt_event_set_bytes(&event, XT_F_HOST_ID, xt_slice_str(a->id));
    xt_event_set_bytes(&event, XT_F_BOOT_ID, XT_S("simulated"));
    if (mark->n)
        xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(mark));
    xt_event_batch_put(out, &event);
}

static int keep(sim_agent *a, unsigned n_events, int64_t made_ms)
{
    sim *s = a->all;
    sim_parcel *p = malloc(sizeof *p + s->frame.n);

    if (!p)
        return xt_error_origin(-ENOMEM);
    *p = (sim_parcel){.number = a->number, .made_ms = made_ms, .n_events = n_events, .n = (uint32_t)s->frame.n};
    memcpy(p->frame, s->frame.p, s->frame.n);
    *a->end = p;
    a->end = &p->next;
    if (!a->unsent)
        a->unsent = p;
    s->n_batches++;
    s->n_bytes += p->n;
    return 0;
}

int sim_batch_make(sim_agent *a, unsigned n, int64_t made_ms)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT, mark = XT_BUF_INIT, packed = XT_BUF_INIT;
    sim *s = a->all;
    int64_t wall_ms = xt_clock_wall_ms(&xt_clock_system) - (s->now_ms - made_ms);

    if (a->mark) {
        xt_slice words[] = {XT_S("mark"), xt_slice_str(a->mark)};
        xt_list_put(&mark, words, 2);
        free(a->mark);
        a->mark = NULL;
    }
    xt_buf_reset(&s->scratch);
    for (unsigned i = 0; i < n; i++) {
        put_event(a, wall_ms + i * (s->now_ms - made_ms) / n, &mark, &s->scratch);
        xt_buf_reset(&mark);
    }
    xt_batch batch = {
        .stream = a->stream, .number = ++a->number, .n_events = n, .chain = a->chain, .raw_bytes = s->scratch.n};
    int r = xt_codec_pack(xt_buf_slice(&s->scratch), xt_codec_newest(), &packed, &batch.codec);
    batch.data = xt_buf_slice(&packed);
    xt_batch_put(&batch, &payload);
    a->chain = xt_batch_hash(xt_buf_slice(&payload));
    xt_buf_reset(&s->frame);
    xt_frame_put(&s->frame, XT_FRAME_BATCH, xt_buf_slice(&payload));
    if (r == 0)
        r = xt_buf_done(&s->frame);
    return r ? xt_error_fold(r) : keep(a, n, made_ms);
}
