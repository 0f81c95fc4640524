/*
 * What is packed comes back byte for byte, whatever the codec: real captures, made-up events with every kind of field, and what
 * cannot be slimmed. Dictionaries are what they were when they were made, and know no secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../dice.h"
#include "event/batch_codec.h"
#include "event/batch_slim.h"
#include "event/decoder.h"
#include "event/event.h"
#include "fcntl.h"
#include "unistd.h"

#define MAX_BYTES ((size_t)64 << 20)

static void read_data(const char *name, xt_buf *out)
{
    char path[512];
    ssize_t n = 0;
    snprintf(path, sizeof path, "%s/%s", getenv("XT_TEST_DATA"), name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (char *p; (p = xt_buf_reserve(out, 65536)) != NULL && (n = read(fd, p, 65536)) > 0;)
        out->n += (size_t)n;
    assert_int_equal(n, 0);
    close(fd);
}

static void check_round(xt_slice events, uint64_t codec, size_t *ret_packed)
{
    xt_buf packed = XT_BUF_INIT, back = XT_BUF_INIT;
    uint64_t used, raw_bytes;
    assert_int_equal(xt_codec_pack(events, codec, &packed, &used), 0);
    assert_true(used <= codec);
    assert_int_equal(xt_codec_raw_bytes(used, xt_buf_slice(&packed), &raw_bytes), 0);
    assert_int_equal(raw_bytes, events.n);
    xt_buf_put(&back, XT_S("before"));
    assert_int_equal(xt_codec_unpack(used, xt_buf_slice(&packed), events.n, &back), 0);
    assert_true(xt_slice_eq(xt_slice_skip(xt_buf_slice(&back), 6), events));
    if (events.n > 0)
        assert_int_equal(xt_codec_unpack(used, xt_buf_slice(&packed), events.n - 1, &back), XT_CODEC_E_CORRUPT);
    if (ret_packed)
        *ret_packed += packed.n;
    xt_buf_fini(&packed);
    xt_buf_fini(&back);
}

/* In batches of that many events. */
static size_t check_batches(xt_slice events, unsigned n_events, uint64_t codec)
{
    xt_slice rest = events, bytes;
    size_t n = 0;
    while (rest.n > 0) {
        xt_slice from = rest;
        for (unsigned i = 0; i < n_events && xt_event_batch_next(&rest, &bytes); i++)
            ;
        check_round(xt_slice_of(from.p, from.n - rest.n), codec, &n);
    }
    return n;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_event_batch_put(context, event);
    return 0;
}

static void decode(const char *name, xt_buf *out)
{
    xt_buf text = XT_BUF_INIT;
    const xt_decoder_settings settings = {.origin = {.host_name = XT_S("web-1"),
                                                     .host_id = XT_S("00112233445566778899aabbccddeeff"),
                                                     .boot_id = XT_S("0132fb2a-5b80-458a-a49e-171693a42daa")},
                                          .source = name,
                                          .on_event = on_event,
                                          .context = out};
    xt_decoder *decoder = NULL;
    read_data(name, &text);
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_buf_slice(&text)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    xt_buf_fini(&text);
}

static void test_captures(void **state)
{
    static const char *const names[] = {"capture/args.log", "capture/webshell.log", "capture/tty.log",
                                        "capture/tamper.log"};
    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        xt_buf events = XT_BUF_INIT;
        decode(names[i], &events);
        size_t plain = check_batches(xt_buf_slice(&events), 1, XT_CODEC_ZSTD);
        size_t with = check_batches(xt_buf_slice(&events), 1, xt_codec_newest());
        assert_true(with < plain);
        check_batches(xt_buf_slice(&events), 3, xt_codec_newest());
        check_batches(xt_buf_slice(&events), 100000, xt_codec_newest());
        check_batches(xt_buf_slice(&events), 7, XT_CODEC_PLAIN);
        xt_buf_fini(&events);
    }
}

/* Texts of the shapes that are packed as ids, and of shapes that nearly are. */
static xt_slice any_text(dice *d, char room[static 96])
{
    static const char *const digits[] = {"0123456789abcdef", "0123456789abcdeF", "0123456789abcdef-"};
    static const size_t sizes[] = {0, 1, 16, 17, 32, 33, 36, 64, 66, 80};
    const char *set = digits[dice_next(d) % 8 == 0 ? 1 + dice_next(d) % 2 : 0];
    size_t n = sizes[dice_next(d) % XT_COUNT_OF(sizes)];
    for (size_t i = 0; i < n; i++)
        room[i] = n == 36 && (i == 8 || i == 13 || i == 18 || i == 23) ? '-' : set[dice_next(d) % strlen(set)];
    return xt_slice_of(room, n);
}

static uint64_t any_number(dice *d)
{
    return dice_next(d) >> (dice_next(d) % 64);
}

static void any_field(dice *d, const xt_field_info *info, xt_event *event, char room[static 96])
{
    if (info->type <= XT_INT)
        xt_event_set_num(event, info->id, info->id == XT_F_DURATION ? any_number(d) >> 1 : any_number(d));
    else if (info->id == XT_F_ACTION)
        xt_event_set_bytes(event, XT_F_ACTION, dice_next(d) % 2 ? XT_S("executed") : XT_S("exited"));
    else
        xt_event_set_bytes(event, info->id, any_text(d, room));
}

static void test_any_events(void **state)
{
    dice d = {.state = 5};
    for (unsigned round = 0; round < 60; round++) {
        xt_buf events = XT_BUF_INIT;
        xt_event event;
        static char room[XT_F_END][96];
        xt_event_reset(&event);
        for (unsigned i = 0; i < 40; i++) {
            for (unsigned k = dice_next(&d) % 12; k > 0; k--) {
                const xt_field_info *info = xt_field_find(1 + dice_next(&d) % (XT_F_END - 1));
                if (!info || info->flags & XT_VIRTUAL)
                    continue;
                if (xt_event_has(&event, info->id) && dice_next(&d) % 3 == 0)
                    xt_field_set_remove(&event.present, info->id);
                else
                    any_field(&d, info, &event, room[info->id]);
            }
            xt_event_batch_put(&events, &event);
        }
        xt_buf slim = XT_BUF_INIT;
        assert_int_equal(xt_batch_slim(xt_buf_slice(&events), &slim), 0);
        xt_buf_fini(&slim);
        check_round(xt_buf_slice(&events), xt_codec_newest(), NULL);
        xt_buf_fini(&events);
    }
}

/* A loop of one command, and the end of each: few bytes are new in it. */
static void put_loop(xt_buf *out, unsigned n)
{
    const xt_slice host_id = XT_S("00112233445566778899aabbccddeeff");
    for (unsigned i = 0; i < n; i++) {
        char of[33];
        xt_event event;
        uint64_t time = 1700000000000 + i;
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, time);
        xt_event_set_num(&event, XT_F_SERIAL, 5000 + 2 * i);
        xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
        xt_event_set_bytes(&event, XT_F_HOST_ID, host_id);
        xt_event_set_num(&event, XT_F_PID, 100 + i);
        xt_event_set_bytes(&event, XT_F_EXE, XT_S("/usr/local/bin/some-program"));
        xt_event_batch_put(out, &event);
        xt_hash128_format(xt_event_id_of(host_id, (int64_t)time, 5000 + 2 * i), of);
        xt_event_set_num(&event, XT_F_TIME, time + 2);
        xt_event_set_bytes(&event, XT_F_ACTION, XT_S("exited"));
        xt_event_set_bytes(&event, XT_F_OF, xt_slice_of(of, 32));
        xt_event_set_num(&event, XT_F_DURATION, 2400000 + i % 7 * 1000);
        xt_event_batch_put(out, &event);
    }
}

static void test_loop_is_small(void **state)
{
    xt_buf events = XT_BUF_INIT;
    size_t with = 0, without = 0;
    put_loop(&events, 500);
    check_round(xt_buf_slice(&events), xt_codec_newest(), &with);
    check_round(xt_buf_slice(&events), XT_CODEC_ZSTD, &without);
    assert_true(with < 500 * 4);
    assert_true(without > 500 * 24);
    xt_buf_fini(&events);
}

/* A later version's field, a number in a longer form than it needs, bytes that are no event: kept as they are. */
static void test_what_cannot_be_slimmed(void **state)
{
    static const char *const batches[] = {"\x04\x01\xfe\x7f\x05", "\x04\x01\x04\x85", "\x03\x01\x2a", "\x01\x02",
                                          "\x05\x01\x04\x85\x80"};
    for (size_t i = 0; i < XT_COUNT_OF(batches); i++) {
        xt_buf slim = XT_BUF_INIT;
        assert_int_equal(xt_batch_slim(xt_slice_str(batches[i]), &slim), XT_SLIM_E_NOT);
        check_round(xt_slice_str(batches[i]), xt_codec_newest(), NULL);
        xt_buf_fini(&slim);
    }
    check_round(XT_S_NULL, xt_codec_newest(), NULL);
}

static void test_damaged(void **state)
{
    xt_buf events = XT_BUF_INIT, packed = XT_BUF_INIT, back = XT_BUF_INIT, slim = XT_BUF_INIT;
    uint64_t used;
    put_loop(&events, 20);
    assert_int_equal(xt_codec_pack(xt_buf_slice(&events), xt_codec_newest(), &packed, &used), 0);
    assert_int_equal(used, xt_codec_newest());
    for (size_t bit = 0; bit < packed.n * 8; bit++) {
        packed.p[bit / 8] ^= (char)(1 << (bit % 8));
        int r = xt_codec_unpack(used, xt_buf_slice(&packed), MAX_BYTES, &back);
        assert_in_range(r, 0, XT_CODEC_E_CORRUPT);
        packed.p[bit / 8] ^= (char)(1 << (bit % 8));
        assert_int_equal(xt_codec_unpack(used, xt_slice_of(packed.p, bit / 8), MAX_BYTES, &back), XT_CODEC_E_CORRUPT);
        xt_buf_reset(&back);
    }
    assert_int_equal(xt_batch_slim(xt_buf_slice(&events), &slim), 0);
    for (size_t bit = 0; bit < slim.n * 8; bit++) {
        slim.p[bit / 8] ^= (char)(1 << (bit % 8));
        int r = xt_batch_expand(xt_buf_slice(&slim), events.n, &back);
        assert_true(r == 0 || r == XT_SLIM_E_CORRUPT);
        slim.p[bit / 8] ^= (char)(1 << (bit % 8));
        xt_buf_reset(&back);
    }
    assert_int_equal(xt_codec_unpack(7, xt_buf_slice(&packed), MAX_BYTES, &back), XT_CODEC_E_UNKNOWN);
    xt_buf_fini(&events);
    xt_buf_fini(&packed);
    xt_buf_fini(&back);
    xt_buf_fini(&slim);
}

/* Written with the first version of each: dictionaries and the slim form must stay what they were then. */
static void test_old_frames(void **state)
{
    const struct {
        uint64_t codec;
        xt_slice packed;
    } old[] = {
        {32769, XT_S("\xf9\x04\x28\xb5\x2f\xfd\x20\xb5\x0d\x03\x00\xc3\xc4\x11\x4f\x54\x1c\xc5\x73\x94\x0b\xa5\x42\xe7"
                     "\xf9\x4b\x7d\xea\x3c\xfb\xbf\xf4\x44\x16\xcf\x51\x2e\xf4\xaa\x6c\xab\x06\x76\xa6\x86\x66\xf5\x96"
                     "\x9d\x81\x0b\xe0\x1e\x0b\xb5\x0f\x67\xe5\x16\x27\x85\x39\xec\xdc\xbe\x42\x68\xe1\x4d\x48\x50\xa9"
                     "\x9f\x6a\xd0\x9b\xbd\xf0\xf0\x29\x32\x28\xf7\xaf\x01\x06\xfc\x1d\xff\x04\x41\x05\x38\xa8\xd8\xb8"
                     "\xa9\x4a\x92\x0f\x10\x67\xf3\x87\x75\x58\x86\x35")},
    };
    xt_buf events = XT_BUF_INIT;
    put_loop(&events, 3);
    for (size_t i = 0; i < XT_COUNT_OF(old); i++) {
        xt_buf back = XT_BUF_INIT;
        assert_int_equal(xt_codec_unpack(old[i].codec, old[i].packed, MAX_BYTES, &back), 0);
        assert_true(xt_slice_eq(xt_buf_slice(&back), xt_buf_slice(&events)));
        xt_buf_fini(&back);
    }
    xt_buf_fini(&events);
}

/* All planted secrets begin with the same letters (tests/e2e/test_secrets.py), in whatever form: as text, in hex, packed. */
static void test_no_secret_in_a_dictionary(void **state)
{
    static const char *const forms[] = {"hUnter", "68556e746572", "68556E746572", "aFVudGVy", "hVbnRlc", "oVW50ZX"};
    xt_buf planted = XT_BUF_INIT;
    uint64_t id, before = XT_CODEC_ZSTD;
    xt_slice bytes, rest, line;
    read_data("secrets/planted.txt", &planted);
    for (size_t n = 0; (bytes = xt_codec_dictionary(n, &id)).n > 0; n++) {
        assert_true(id > before && xt_codec_is_known(id));
        before = id;
        assert_true(xt_slice_find(bytes, XT_S("/usr/bin/")) >= 0);
        for (size_t i = 0; i < XT_COUNT_OF(forms); i++)
            assert_int_equal(xt_slice_find(bytes, xt_slice_str(forms[i])), -1);
        unsigned n_lines = 0;
        for (rest = xt_buf_slice(&planted); xt_slice_cut(&rest, '\n', &line);) /* nor what surrounds one */
            if (xt_slice_find(line, XT_S("{S}")) > 0) {
                n_lines++;
                ptrdiff_t at = xt_slice_find(line, XT_S("{S}"));
                xt_slice lead = xt_slice_head(line, (size_t)at);
                if (lead.n > 12)
                    assert_int_equal(xt_slice_find(bytes, lead), -1);
            }
        assert_true(n_lines > 200);
    }
    assert_int_equal(before, xt_codec_newest());
    xt_buf_fini(&planted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_any_events),
        cmocka_unit_test(test_loop_is_small),
        cmocka_unit_test(test_what_cannot_be_slimmed),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_old_frames),
        cmocka_unit_test(test_no_secret_in_a_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
