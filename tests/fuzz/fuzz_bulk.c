/*
 * A body of _bulk, packed or not: items until its end or what is malformed; each document becomes a line, or an event that encodes
 * and decodes, or nothing.
 */
#include <stdint.h>
#include <stdlib.h>

#include "input/bulk_body.h"
#include "input/ecs_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void take(xt_slice document)
{
    xt_arena arena;
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_event again;
    xt_arena_init(&arena, 32 * XT_ECS_MAX_BYTES);
    xt_ecs_document *d = xt_arena_alloc(&arena, sizeof *d);
    require(d);
    int r = xt_ecs_document_read(document, &arena, d, &problem);
    require(r <= 0 || xt_problem_is_set(&problem));
    if (r == 0 && !d->is_line) {
        xt_event_encode(&d->event, &bytes);
        require(xt_event_decode(xt_buf_slice(&bytes), &again, NULL) == 0);
        require(xt_event_has(&again, XT_F_TIME) && xt_event_has(&again, XT_F_SERIAL) &&
                xt_event_has(&again, XT_F_HOST));
    }
    xt_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    XT_CLEANUP(xt_buf_fini) xt_buf unpacked = XT_BUF_INIT;
    xt_slice body = xt_slice_of(data, n);
    xt_arena arena;
    xt_bulk_item item;
    if (n > 1 && data[0] == 0x1f && data[1] == 0x8b) {
        if (xt_bulk_gunzip(body, 1 << 20, &unpacked, NULL) != 0)
            return 0;
        body = xt_buf_slice(&unpacked);
    }
    xt_arena_init(&arena, 16 << 20);
    xt_bulk_reader reader = {.rest = body};
    while (xt_bulk_next(&reader, &arena, &item, NULL) == 0)
        if (item.document.p)
            take(item.document);
    xt_arena_fini(&arena);
    return 0;
}
