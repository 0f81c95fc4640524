/*
 * What tools/train_dictionary.py trains on: audit text on standard input becomes slimmed batches of one or two events on
 * standard output, each behind its length (u32 little endian). Secrets are taken out first, as an agent does. What a text
 * cannot know and an agent adds (session leader, unit, the end of the process) is made up in the shapes that it has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "event/batch_slim.h"
#include "event/decoder.h"
#include "event/event.h"

static const char *const units[] = {"session-%u.scope",
                                    "cron.service",
                                    "ssh.service",
                                    "user@1000.service",
                                    "nginx.service",
                                    "docker.service",
                                    "systemd-logind.service",
                                    "",
                                    ""};
static const char *const host_names[] = {"web-%u", "db-%u", "app-%u", "ip-10-0-3-%u", "node-%u", "build-%u"};

typedef struct samples {
    uint64_t dice, n, stride;
    xt_buf events, slim;
} samples;

static uint64_t next(samples *s)
{
    uint64_t z = (s->dice += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Random hex digits; of a UUID with its dashes. */
static xt_slice id(samples *s, xt_arena *arena, size_t n, bool uuid)
{
    char *p = xt_arena_alloc(arena, n);
    for (size_t i = 0; p && i < n; i++)
        p[i] = uuid && (i == 8 || i == 13 || i == 18 || i == 23) ? '-' : "0123456789abcdef"[next(s) & 15];
    return xt_slice_of(p, p ? n : 0);
}

static xt_slice name(samples *s, xt_arena *arena, const char *form)
{
    char *p = xt_arena_alloc(arena, 64);
    xt_buf out = {.p = p, .cap = 64, .max_bytes = 63};
    for (const char *c = form; p && *c; c++)
        if (c[0] == '%' && c[1] == 'u')
            xt_buf_put_dec(&out, next(s) % 100);
        else if (c == form || c[-1] != '%')
            xt_buf_putc(&out, *c);
    return xt_buf_slice(&out);
}

static void put(samples *s)
{
    xt_buf_reset(&s->slim);
    if (xt_batch_slim(xt_buf_slice(&s->events), &s->slim) == 0) {
        uint8_t head[4] = {(uint8_t)s->slim.n, (uint8_t)(s->slim.n >> 8), (uint8_t)(s->slim.n >> 16),
                           (uint8_t)(s->slim.n >> 24)};
        fwrite(head, 1, 4, stdout);
        fwrite(s->slim.p, 1, s->slim.n, stdout);
    }
    xt_buf_reset(&s->events);
}

static void put_end(samples *s, const xt_event *of, xt_arena *arena)
{
    static const xt_field kept[] = {XT_F_SERIAL, XT_F_HOST, XT_F_HOST_ID, XT_F_BOOT_ID, XT_F_PID,
                                    XT_F_UID,    XT_F_AUID, XT_F_SES,     XT_F_EXE,     XT_F_COMM};
    xt_event end;
    uint64_t start = xt_event_num(of, XT_F_TIME, 0), us = next(s) % 30000;
    char *text = xt_arena_alloc(arena, 33);
    xt_event_reset(&end);
    for (size_t i = 0; i < XT_COUNT_OF(kept); i++)
        if (xt_event_has(of, kept[i])) {
            end.values[kept[i]] = of->values[kept[i]];
            xt_field_set_add(&end.present, kept[i]);
        }
    xt_event_set_num(&end, XT_F_TIME, start + us / 1000 + 1);
    xt_event_set_bytes(&end, XT_F_ACTION, XT_S("exited"));
    xt_event_set_bytes(&end, XT_F_CATEGORY, XT_S("\x01\x07process"));
    xt_event_set_bytes(&end, XT_F_EVENT_TYPE,
                       XT_S("\x01\x03"
                            "end"));
    xt_event_set_bytes(&end, XT_F_OUTCOME, XT_S("unknown"));
    xt_hash128_format(
        xt_event_id_of(xt_event_bytes(of, XT_F_HOST_ID), (int64_t)start, (uint32_t)xt_event_num(of, XT_F_SERIAL, 0)),
        text);
    xt_event_set_bytes(&end, XT_F_OF, xt_slice_of(text, 32));
    xt_event_set_num(&end, XT_F_EXIT_CODE, next(s) % 8 == 0);
    xt_event_set_num(&end, XT_F_DURATION, us * 1000);
    xt_event_batch_put(&s->events, &end);
}

/* As the agent of another host would tell it. */
static void dress(samples *s, xt_event *event, xt_arena *arena)
{
    bool executed = xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed"));
    xt_slice unit = name(s, arena, units[next(s) % XT_COUNT_OF(units)]);
    xt_event_set_bytes(event, XT_F_HOST, name(s, arena, host_names[next(s) % XT_COUNT_OF(host_names)]));
    xt_event_set_bytes(event, XT_F_HOST_ID, id(s, arena, 32, false));
    xt_event_set_bytes(event, XT_F_BOOT_ID, id(s, arena, 36, true));
    if (!executed)
        return;
    xt_event_set_bytes(event, XT_F_KEY,
                       XT_S("\x01\x09"
                            "exectrail"));
    xt_event_set_bytes(event, XT_F_PARENT_ENTITY, id(s, arena, 16, false));
    xt_event_set_num(event, XT_F_LEADER, next(s) % 2 ? xt_event_num(event, XT_F_PPID, 1) : next(s) % 30000);
    xt_event_set_bytes(event, XT_F_LEADER_ENTITY,
                       next(s) % 2 ? xt_event_bytes(event, XT_F_PARENT_ENTITY) : id(s, arena, 16, false));
    if (unit.n > 0)
        xt_event_set_bytes(event, XT_F_UNIT, unit);
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    samples *s = context;
    bool executed = xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed"));
    if (s->n++ % s->stride != 0 || xt_event_has(event, XT_F_ORIGINAL))
        return 0;
    dress(s, event, arena);
    xt_event_batch_put(&s->events, event);
    unsigned which = next(s) % 4; /* together, apart, or without its end */
    if (executed && which > 0) {
        if (which == 1)
            put(s);
        put_end(s, event, arena);
    }
    put(s);
    return xt_buf_done(&s->events);
}

int main(int argc, char **argv)
{
    static char bytes[65536];
    samples s = {.dice = 1, .stride = argc > 1 ? strtoul(argv[1], NULL, 10) : 1};
    xt_secret_rules *secrets = NULL;
    xt_decoder *decoder = NULL;
    int r = xt_secret_rules_builtin(&secrets);
    const xt_decoder_settings settings = {
        .source = "standard input", .secrets = secrets, .on_event = on_event, .context = &s};
    if (r == 0 && s.stride > 0)
        r = xt_decoder_new(&settings, &decoder);
    for (ssize_t n; r == 0 && (n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
        r = xt_decoder_feed(decoder, xt_slice_of(bytes, (size_t)n));
    if (r == 0)
        r = xt_decoder_finish(decoder);
    xt_decoder_free(decoder);
    xt_secret_rules_unref(secrets);
    xt_buf_fini(&s.events);
    xt_buf_fini(&s.slim);
    return r != 0 || fflush(stdout) != 0;
}
