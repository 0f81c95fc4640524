/*
 * event/explain_stream - audit text in, explanations of the events that are asked for out
 *
 * Shape:     a decoder with a second reader of lines beside it, which remembers where each record stood until its event
 *            is out. A decoder without it costs what it did.
 * Errors:    -ENOMEM; what on_explained returns, if not 0, ends the stream.
 * Ownership: an explanation is valid during on_explained.
 * Limits:    secrets are not taken out: settings.decoder.secrets is ignored. Processes of the last million pids.
 * Threads:   one at a time.
 */
#pragma once
#include "event/decoder.h"
#include "event/explain_event.h"

/* Events by event.id, by serial, or by time and serial. All false: every event. */
typedef struct xt_explain_wanted {
    bool by_id, by_serial, by_time;
    char id[33];
    uint32_t serial;
    int64_t time_ms;
} xt_explain_wanted;

/* ID (32 hex digits), SERIAL, SECONDS.MMM:SERIAL, audit(SECONDS.MMM:SERIAL), all with msg= or a colon behind or not. */
XT_MUST_USE bool xt_explain_wanted_parse(xt_slice text, xt_explain_wanted *ret);

typedef struct xt_explain_settings {
    xt_decoder_settings decoder; /* on_event, on_problem and context are those below */
    xt_explain_wanted wanted;
    unsigned every; /* of the events wanted only each n-th; 0: all */
    int (*on_explained)(void *context, const xt_explanation *explanation);
    void (*on_problem)(void *context, const xt_problem *problem); /* may be NULL */
    void *context;
} xt_explain_settings;

typedef struct xt_explain_stream xt_explain_stream;
XT_MUST_USE int xt_explain_stream_new(const xt_explain_settings *settings, xt_explain_stream **ret);
xt_explain_stream *xt_explain_stream_free(xt_explain_stream *stream);                   /* accepts NULL, returns NULL */
XT_MUST_USE int xt_explain_stream_begin(xt_explain_stream *stream, const char *source); /* as xt_decoder_begin */
XT_MUST_USE int xt_explain_stream_feed(xt_explain_stream *stream, xt_slice bytes);
XT_MUST_USE int xt_explain_stream_finish(xt_explain_stream *stream);
xt_decoder_stats xt_explain_stream_stats(const xt_explain_stream *stream);
