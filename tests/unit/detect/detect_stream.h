/* Audit text as events, for tests that read captures. */
#pragma once
#include "detect_fixture.h"
#include "event/decoder.h"

typedef void (*stream_fn)(void *context, xt_event *event, xt_arena *arena);

struct stream {
    stream_fn each;
    void *context;
    xt_proc_table *table;
};

static inline int stream_event(void *context, xt_event *event, xt_arena *arena)
{
    struct stream *s = context;

    s->each(s->context, event, arena);
    return 0;
}

static inline bool is_file(const char *path)
{
    return access(path, R_OK) == 0;
}

/* Calls each for every event of a file of audit text; command: what writes the text instead, or NULL. */
static inline void stream_file(const char *path, stream_fn each, void *context)
{
    struct stream s = {.each = each, .context = context};
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("host"), .host_id = XT_S("0123")},
                                    .source = path,
                                    .on_event = stream_event,
                                    .context = &s};
    FILE *f = fopen(path, "r");
    xt_decoder *decoder = NULL;
    static char bytes[1 << 16];
    size_t n;

    assert_non_null(f);
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
        assert_int_equal(xt_decoder_feed(decoder, xt_slice_of(bytes, n)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    fclose(f);
}

/* A path in the source tree; the caller's array holds it. */
static inline const char *source_path(char path[static 400], const char *name)
{
    const char *root = getenv("XT_SOURCE");

    snprintf(path, 400, "%s/%s", root ? root : ".", name);
    return path;
}

/* A capture: of tests/data/capture, else of the folder that XT_CORPUS names; NULL when it is in neither. */
static inline const char *corpus_path(char path[static 400], const char *name)
{
    const char *data = getenv("XT_TEST_DATA"), *corpus = getenv("XT_CORPUS");

    snprintf(path, 400, "%s/capture/%s", data ? data : "", name);
    if (data && is_file(path))
        return path;
    snprintf(path, 400, "%s/%s", corpus ? corpus : "", name);
    return corpus && is_file(path) ? path : NULL;
}
