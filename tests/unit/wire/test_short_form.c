/* A connection's two ends: what the one leaves out the other puts back, byte for byte, whatever order whole and short forms come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../dice.h"
#include "event/event.h"
#include "wire/short_form.h"

static const xt_hash128 stream = {{1, 2, 3, 4}};

static void put_batch(uint64_t number, xt_hash128 chain, xt_buf *out)
{
    xt_buf events = XT_BUF_INIT, packed = XT_BUF_INIT;
    xt_batch batch = {.stream = stream, .number = number, .n_events = 1 + number % 3, .chain = chain};
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, 1700000000000 + number);
    xt_event_set_bytes(&event, XT_F_EXE, XT_S("/usr/bin/some-program-or-other-some-program-or-other"));
    for (uint64_t i = 0; i < batch.n_events; i++)
        xt_event_batch_put(&events, &event);
    assert_int_equal(xt_codec_pack(xt_buf_slice(&events),
                                   number % 4 == 0   ? XT_CODEC_PLAIN
                                   : number % 4 == 1 ? XT_CODEC_ZSTD
                                                     : xt_codec_newest(),
                                   &packed, &batch.codec),
                     0);
    batch.raw_bytes = events.n;
    batch.data = xt_buf_slice(&packed);
    xt_batch_put(&batch, out);
    xt_buf_fini(&events);
    xt_buf_fini(&packed);
}

static void test_batches(void **state)
{
    const xt_welcome welcome = {.number = 41, .hash = {{7}}, .dictionary = xt_codec_newest()};
    xt_short_form agent = {0}, server = {0};
    xt_hash128 chain = welcome.hash;
    xt_short_begin(&agent, stream, &welcome);
    xt_short_begin(&server, stream, &welcome);
    for (uint64_t number = 42; number < 60; number++) {
        xt_buf payload = XT_BUF_INIT, brief = XT_BUF_INIT, back = XT_BUF_INIT;
        xt_batch batch;
        put_batch(number, chain, &payload);
        assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
        assert_true(xt_short_batch_put(&agent, &batch, &brief));
        assert_true(brief.n + 30 < payload.n);
        if (number % 5 != 0) { /* else it goes whole */
            assert_int_equal(xt_short_batch_expand(&server, xt_buf_slice(&brief), &back, NULL), 0);
            assert_true(xt_slice_eq(xt_buf_slice(&back), xt_buf_slice(&payload)));
        }
        xt_short_batch_went(&agent, number, xt_buf_slice(&payload));
        xt_short_batch_went(&server, number, xt_buf_slice(&payload));
        chain = xt_batch_hash(xt_buf_slice(&payload));
        xt_buf_fini(&payload);
        xt_buf_fini(&brief);
        xt_buf_fini(&back);
    }
    xt_short_fini(&agent);
    xt_short_fini(&server);
}

/* Another stream, number or chain than the next: only the whole form says so. */
static void test_not_the_next(void **state)
{
    const xt_welcome welcome = {.number = 0};
    xt_short_form form = {0};
    xt_buf payload = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_batch batch, other;
    xt_short_begin(&form, stream, &welcome);
    put_batch(1, (xt_hash128){{0}}, &payload);
    assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
    other = batch;
    other.number = 2;
    assert_false(xt_short_batch_put(&form, &other, &out));
    other = batch;
    other.chain.b[3] = 1;
    assert_false(xt_short_batch_put(&form, &other, &out));
    other = batch;
    other.stream.b[0] = 9;
    assert_false(xt_short_batch_put(&form, &other, &out));
    other = batch;
    other.raw_bytes++;
    assert_false(xt_short_batch_put(&form, &other, &out));
    assert_int_equal(out.n, 0);
    assert_true(xt_short_batch_put(&form, &batch, &out));
    assert_int_equal(xt_short_batch_expand(&form, XT_S("\x01"), &payload, NULL), XT_SHORT_E_CORRUPT);
    assert_int_equal(xt_short_batch_expand(&form, XT_S("\x01\x01nonsense"), &payload, NULL), XT_SHORT_E_CORRUPT);
    xt_buf_fini(&payload);
    xt_buf_fini(&out);
}

static xt_heartbeat any_beat(dice *d)
{
    static const char *const texts[] = {"", "everything", "incomplete: 3 execs"};
    return (xt_heartbeat){
        .time_ms = 1700000000000 + dice_next(d) % 100000,
        .enabled = dice_next(d) % 2,
        .lost = dice_next(d) % 3 == 0 ? dice_next(d) : 0,
        .n_events = dice_next(d) % 1000,
        .rules_hash = XT_S("0123456789abcdef"),
        .completeness = xt_slice_str(texts[dice_next(d) % 3]),
        .blind = xt_slice_str(texts[dice_next(d) % 3]),
        .unbroken_ms = dice_next(d) % 5 ? 5000 : 0,
        .canary_took_ms = dice_next(d) % 9,
    };
}

static void check_same(const xt_heartbeat *a, const xt_heartbeat *b)
{
    xt_buf x = XT_BUF_INIT, y = XT_BUF_INIT;
    xt_heartbeat_put(&x, a);
    xt_heartbeat_put(&y, b);
    assert_true(xt_slice_eq(xt_buf_slice(&x), xt_buf_slice(&y)));
    xt_buf_fini(&x);
    xt_buf_fini(&y);
}

static void test_heartbeats(void **state)
{
    dice d = {3};
    const xt_welcome welcome = {0};
    xt_short_form agent = {0}, server = {0};
    xt_short_begin(&agent, stream, &welcome);
    xt_short_begin(&server, stream, &welcome);
    for (unsigned i = 0; i < 300; i++) {
        xt_heartbeat beat = any_beat(&d), back;
        xt_buf whole = XT_BUF_INIT, brief = XT_BUF_INIT;
        xt_heartbeat_put(&whole, &beat);
        bool is_brief = xt_short_beat_put(&agent, &beat, &brief) && i % 7 != 0;
        assert_true(is_brief || i % 7 == 0);
        assert_int_equal(
            xt_short_beat_take(&server, is_brief ? xt_buf_slice(&brief) : xt_buf_slice(&whole), is_brief, &back, NULL),
            0);
        check_same(&beat, &back);
        xt_buf_fini(&whole);
        xt_buf_fini(&brief);
    }
    /* Most of what stays the same costs nothing. */
    xt_heartbeat beat = any_beat(&d);
    xt_buf brief = XT_BUF_INIT;
    (void)xt_short_beat_put(&agent, &beat, &brief);
    xt_buf_reset(&brief);
    beat.time_ms += 5000;
    beat.cpu_us += 700;
    assert_true(xt_short_beat_put(&agent, &beat, &brief));
    assert_true(brief.n < 10);
    xt_buf_fini(&brief);
    xt_short_fini(&agent);
    xt_short_fini(&server);
}

static void test_hostile_heartbeats(void **state)
{
    dice d = {4};
    xt_short_form server = {0};
    xt_heartbeat beat = any_beat(&d), back;
    xt_buf whole = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_short_beat_take(&server, XT_S("\x01\x02"), true, &back, &problem), XT_SHORT_E_CORRUPT);
    assert_true(xt_problem_is_set(&problem));
    xt_heartbeat_put(&whole, &beat);
    assert_int_equal(xt_short_beat_take(&server, xt_buf_slice(&whole), false, &back, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) {
        char bytes[40];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)dice_next(&d);
        int r = xt_short_beat_take(&server, xt_slice_of(bytes, dice_next(&d) % sizeof bytes), true, &back, NULL);
        assert_in_range(r, 0, XT_SHORT_E_CORRUPT);
    }
    xt_buf_fini(&whole);
    xt_short_fini(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_not_the_next),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_hostile_heartbeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
