/* What a forward sends, byte for byte: framing and escaping of syslog and CEF, _bulk; a file that is full, cut or moved away; addresses. */
#include "server_fixture.h"

#include <fcntl.h>

#include "server/forward_bulk.h"
#include "server/forward_sink.h"

/* ------------------------------------------------------------------------------------------------ forms */

static void one_event(xt_event *event, xt_slice text)
{
    static char args[200000];
    xt_buf list = XT_BUF_ON(args);

    xt_event_reset(event);
    xt_list_put(&list, &text, 1);
    xt_event_set_num(event, XT_F_TIME, (uint64_t)T0);
    xt_event_set_num(event, XT_F_SERIAL, 7);
    xt_event_set_bytes(event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(event, XT_F_HOST, XT_S("web 1\xff"));
    xt_event_set_bytes(event, XT_F_HOST_ID, XT_S(HOST));
    xt_event_set_bytes(event, XT_F_RULE_LEVEL, XT_S("critical"));
    xt_event_set_bytes(event, XT_F_ARGS, xt_buf_slice(&list));
    assert_false(list.failed);
}

static xt_slice put(xt_forward_form form, xt_event *event, xt_forward_batch *batch)
{
    static xt_arena arena;

    xt_arena_init(&arena, 16 << 20);
    xt_forward_batch_reset(batch);
    assert_int_equal(xt_forward_put_event(&form, event, &arena, batch), 0);
    xt_arena_fini(&arena);
    return xt_buf_slice(&batch->bytes);
}

static void octets_are_counted(void **state)
{
    xt_forward_batch batch = {0};
    xt_event event;
    uint64_t n = 0;

    one_event(&event, XT_S("a\nb"));
    xt_slice text = put((xt_forward_form){XT_FORWARD_ECS, XT_FORWARD_OCTETS}, &event, &batch);
    xt_slice count = xt_slice_head(text, (size_t)xt_slice_find_byte(text, ' '));
    assert_true(xt_slice_parse_u64(count, &n));
    assert_int_equal(n, text.n - count.n - 1);
    text = xt_slice_skip(text, count.n + 1);
    /* facility 13, severity 2; what is no visible ASCII in the host's name is none of the header's business */
    assert_true(xt_slice_starts(text, XT_S("<106>1 2026-09-21T14:13:20.000Z web_1_ exectrail - executed "
                                           "[exectrail@32473 id=\"")));
    assert_true(xt_slice_find(text, XT_S("\"] {\"@timestamp\":\"2026-09-21T14:13:20.000Z\"")) > 0);
    assert_true(xt_slice_find_byte(text, '\n') < 0);
    assert_int_equal(xt_forward_batch_count(&batch), 1);
    xt_forward_batch_fini(&batch);
}

static void structured_data_is_escaped(void **state)
{
    xt_buf out = XT_BUF_INIT;

    xt_syslog_param_put(&out, "rule", XT_S("a\"b\\c]d[e=\xc3\xa4"));
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S(" rule=\"a\\\"b\\\\c\\]d[e=\xc3\xa4\"")));
    xt_buf_reset(&out);
    xt_syslog_param_put(&out, "rule", XT_S("line\nbreak\xff"));
    assert_true(xt_slice_find_byte(xt_buf_slice(&out), '\n') < 0);
    assert_true(xt_slice_find_byte(xt_buf_slice(&out), '\xff') < 0);
    xt_buf_reset(&out);
    const xt_syslog_head head = {.t_ms = T0, .level = XT_S("none"), .cut = 12};
    xt_syslog_head_put(&out, &head);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("<110>1 2026-09-21T14:13:20.000Z - exectrail - - "
                                                     "[exectrail@32473 id=\"\" cut=\"12\"] ")));
    xt_buf_fini(&out);
}

static void datagrams_are_cut(void **state)
{
    static char big[150000];
    xt_forward_batch batch = {0};
    xt_event event;

    memset(big, 'x', sizeof big);
    for (size_t shift = 0; shift < 4; shift++) { /* a character of two bytes where it is cut, and not */
        for (size_t i = shift; i + 1 < sizeof big; i += 2)
            memcpy(big + i, "\xc3\xa4", 2);
        one_event(&event, xt_slice_of(big, sizeof big - 1 - (sizeof big - shift) % 2));
        xt_slice text = put((xt_forward_form){XT_FORWARD_ECS, XT_FORWARD_DATAGRAM}, &event, &batch);
        assert_true(text.n <= XT_FORWARD_DATAGRAM_BYTES && text.n > XT_FORWARD_DATAGRAM_BYTES - 64);
        assert_true(xt_slice_find(xt_slice_head(text, 200), XT_S(" cut=\"")) > 0);
        assert_int_equal(batch.n_cut, 1);
        assert_true((text.p[text.n - 1] & 0xc0) != 0xc0); /* no beginning of a character alone */
        memset(big, 'x', sizeof big);
    }
    xt_forward_batch_fini(&batch);
}

static void cef_is_escaped(void **state)
{
    xt_forward_batch batch = {0};
    xt_event event;

    one_event(&event, XT_S("a=b|c\\d\ne"));
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("ex|ec"));
    xt_slice text = put((xt_forward_form){XT_FORWARD_CEF, XT_FORWARD_LINES}, &event, &batch);
    assert_true(
        xt_slice_starts(text, XT_S("CEF:0|Exectrail|Exectrail|" XT_VERSION "|ex\\|ec|ex\\|ec|10|rt=1790000000000 ")));
    assert_true(xt_slice_find(text, XT_S(" cs1=a\\=b|c\\\\d")) > 0);
    assert_true(xt_slice_find(text, XT_S(" cs1Label=commandLine")) > 0);
    assert_int_equal(xt_slice_find_byte(text, '\n'), (ptrdiff_t)text.n - 1);
    xt_forward_batch_fini(&batch);
}

static void bulk_has_the_id(void **state)
{
    xt_forward_batch batch = {0};
    xt_event event;
    char id[33], wanted[80];

    one_event(&event, XT_S("id"));
    xt_hash128_format(xt_event_id_of(XT_S(HOST), T0, 7), id);
    snprintf(wanted, sizeof wanted, "{\"create\":{\"_id\":\"%s\"}}\n{\"@timestamp\"", id);
    xt_slice text = put((xt_forward_form){XT_FORWARD_ECS, XT_FORWARD_BULK}, &event, &batch);
    assert_true(xt_slice_starts(text, xt_slice_str(wanted)));
    assert_int_equal(text.p[text.n - 1], '\n');
    assert_int_equal(xt_forward_batch_count(&batch), 1);
    xt_forward_batch_fini(&batch);
}

/* An answer to two documents; A and B stand for their ids. */
static void bulk_answers_are_held_against_what_was_sent(void **state)
{
    static const struct {
        const char *answer;
        int r;
        unsigned n_refused;
        const char *says;
    } cases[] = {
        {"{'errors':false,'items':[{'create':{'_id':'A','status':201}},{'create':{'_id':'B','status':201}}]}", 0, 0,
         ""},
        {"{'items':[{'create':{'_id':'A','status':409}},{'create':{'_id':'B','status':200}}]}", 0, 0, ""},
        {"{'errors':true,'items':[{'create':{'_id':'A','status':400,'error':{'type':'bad'}}},{'create':{'_id':'B','"
         "status':404}}]}",
         0, 2, "404 "},
        {"{'errors':false,'items':[{'create':{'_id':'A','status':400}},{'create':{'_id':'B','status':429}}]}", 1, 0,
         "answered 429"},
        {"{'errors':false,'items':[{'create':{'_id':'A','status':503}},{'create':{'_id':'B','status':201}}]}", 1, 0,
         "answered 503"},
        {"{'errors':false,'items':[{'create':{'_id':'A','status':0}},{'create':{'_id':'B','status':201}}]}", 1, 0,
         "answered 0"},
        {"{'errors':false,'items':[{'create':{'_id':'A'}},{'create':{'_id':'B','status':201}}]}", 1, 0, "no status"},
        {"{'errors':false,'items':[{'create':{'_id':'B','status':201}},{'create':{'_id':'A','status':201}}]}", 1, 0,
         "another document"},
        {"{'errors':false,'items':[{'create':{'status':201}},{'create':{'_id':'B','status':201}}]}", 1, 0,
         "another document"},
        {"{'errors':false,'items':[{'index':{'_id':'A','status':201}},{'create':{'_id':'B','status':201}}]}", 1, 0,
         "another document"},
        {"{'errors':false,'items':[{'create':{'_id':'A','status':201}}]}", 1, 0, "another number"},
        {"{'errors':false,'items':[]}", 1, 0, "another number"},
        {"{'errors':false,'items':{}}", 1, 0, "no items"},
        {"{'errors':false}", 1, 0, "no items"},
        {"{'errors':false,'items':[", 1, 0, "no items"},
        {"[]", 1, 0, "no items"},
        {"", 1, 0, "no items"},
    };
    const xt_forward_form form = {XT_FORWARD_ECS, XT_FORWARD_BULK};
    xt_forward_batch batch = {0};
    xt_event event;
    xt_arena arena;
    char ids[2][33];

    xt_arena_init(&arena, 16 << 20);
    for (unsigned i = 0; i < 2; i++) {
        one_event(&event, XT_S("id"));
        xt_event_set_num(&event, XT_F_SERIAL, 7 + i);
        assert_int_equal(xt_forward_put_event(&form, &event, &arena, &batch), 0);
        xt_hash128_format(xt_event_id_of(XT_S(HOST), T0, 7 + i), ids[i]);
    }
    assert_int_equal(xt_forward_batch_count(&batch), 2);
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
        xt_problem problem = XT_PROBLEM_INIT;
        xt_bulk_verdict verdict = {.n_refused = 77};
        for (const char *c = cases[i].answer; *c; c++) {
            if (*c == 'A' || *c == 'B')
                xt_buf_puts(&answer, ids[*c - 'A']);
            else
                xt_buf_putc(&answer, *c == '\'' ? '"' : *c);
        }
        int r = xt_bulk_answer_judge(xt_buf_slice(&answer), &batch, 0, 2, &verdict, &problem);
        if (r != cases[i].r)
            print_message("%s: %d\n", cases[i].answer, r);
        assert_int_equal(r, cases[i].r);
        assert_int_equal(verdict.n_refused, r ? 77 : cases[i].n_refused);
        assert_non_null(strstr(r ? problem.sentence : verdict.refusal, cases[i].says));
    }
    xt_arena_fini(&arena);
    xt_forward_batch_fini(&batch);
}

static void own_events_have_no_audit_text(void **state)
{
    xt_forward_batch batch = {0};
    xt_event event;

    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, (uint64_t)T0);
    xt_event_set_bytes(&event, XT_F_EVENT_ID, XT_S("00112233445566778899aabbccddeeff"));
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("forward-failed"));
    assert_int_equal(put((xt_forward_form){XT_FORWARD_RAW, XT_FORWARD_OCTETS}, &event, &batch).n, 0);
    assert_int_equal(batch.n_textless, 1);
    assert_int_equal(xt_forward_batch_count(&batch), 0);
    xt_forward_batch_fini(&batch);
}

/* ------------------------------------------------------------------------------------------------ addresses */

static void addresses(void **state)
{
    static const struct {
        const char *target;
        bool bulk;
        int kind; /* -1: refused */
    } cases[] = {
        {"syslog+udp://h:514", false, XT_FORWARD_UDP},
        {"syslog+tcp://[::1]:601", false, XT_FORWARD_TCP},
        {"syslog+tls://siem.example:6514/", false, XT_FORWARD_TLS},
        {"https://h/x?y=z", false, XT_FORWARD_HTTP},
        {"https://h:9200/i/_bulk", true, XT_FORWARD_ES},
        {"https://h/a@b", false, XT_FORWARD_HTTP},
        {"file:/var/log/x", false, XT_FORWARD_FILE},
        {"file:///var/log/x", false, XT_FORWARD_FILE},
        {"file:x", false, -1},
        {"file:/x", true, -1},
        {"http://u:p@h/", false, -1},
        {"syslog+tcp://u@h:1", false, -1},
        {"syslog+tcp://h", false, -1},
        {"syslog+tcp://h:0", false, -1},
        {"syslog+tcp://h:65536", false, -1},
        {"syslog+tcp://::1:514", false, -1},
        {"syslog+tcp://:514", false, -1},
        {"ftp://h", false, -1},
        {"", false, -1},
    };

    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_forward_kind kind = XT_FORWARD_UDP;
        int r = xt_sink_kind_of(cases[i].target, cases[i].bulk, &kind, &problem);
        if (cases[i].kind < 0 ? r != XT_APP_E_INVALID || !xt_problem_is_set(&problem) : r || (int)kind != cases[i].kind)
            fail_msg("%s: %d", cases[i].target, r);
    }
    assert_string_equal(xt_sink_path("file:///a/b"), "/a/b");
}

/* ------------------------------------------------------------------------------------------------ files */

static int fails_at; /* a write that is torn there; 0: none */

static ssize_t torn_pwrite(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    if (fails_at && n > (size_t)fails_at && pwrite(fd, p, (size_t)fails_at, (off_t)offset) >= 0)
        return -ENOSPC;
    ssize_t k = pwrite(fd, p, n, (off_t)offset);
    return k < 0 ? -errno : k;
}

static void batch_of(xt_forward_batch *batch, const char *text)
{
    uint64_t end;

    xt_forward_batch_reset(batch);
    xt_buf_puts(&batch->bytes, text);
    end = batch->bytes.n;
    xt_buf_put(&batch->ends, xt_slice_of(&end, sizeof end));
    batch->n_items = 1;
}

static void expect_file(const char *path, const char *text)
{
    xt_buf got = XT_BUF_INIT;

    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 20, &got), 0);
    xt_buf_putc(&got, '\0');
    assert_string_equal(got.p, text);
    xt_buf_fini(&got);
}

static void files(void **state)
{
    fixture *f = *state;
    xt_vfs vfs = xt_vfs_system;
    xt_forward_batch batch = {0};
    xt_problem problem = XT_PROBLEM_INIT;
    char target[100], moved[100], old[100];
    const char *path = target + strlen("file:");
    xt_sink *sink = NULL;

    snprintf(target, sizeof target, "file:%s/out", f->dir);
    snprintf(moved, sizeof moved, "%s/moved", f->dir);
    snprintf(old, sizeof old, "%s/out.1", f->dir);
    fixture_write(path, "whole\nhalf a li");
    vfs.pwrite = torn_pwrite;
    const xt_sink_settings settings = {
        .kind = XT_FORWARD_FILE, .target = target, .rotate_bytes = 20, .n_keep = 2, .vfs = &vfs};
    assert_int_equal(xt_sink_new(&settings, &sink), 0);
    batch_of(&batch, "one\n");
    assert_int_equal(sink->send(sink, &batch, &problem), 0);
    expect_file(path, "whole\none\n");
    fails_at = 3; /* the disk is full: what was written of it goes again */
    batch_of(&batch, "second\n");
    assert_int_equal(sink->send(sink, &batch, &problem), XT_SINK_E_AWAY);
    assert_non_null(strstr(problem.sentence, "No space left"));
    expect_file(path, "whole\none\n");
    fails_at = 0;
    assert_int_equal(sink->send(sink, &batch, &problem), 0);
    expect_file(path, "whole\none\nsecond\n");
    batch_of(&batch, "rotated\n"); /* would be 25 bytes */
    assert_int_equal(sink->send(sink, &batch, &problem), 0);
    expect_file(path, "rotated\n");
    expect_file(old, "whole\none\nsecond\n");
    assert_int_equal(rename(path, moved), 0); /* as logrotate does */
    batch_of(&batch, "anew\n");
    assert_int_equal(sink->send(sink, &batch, &problem), 0);
    expect_file(path, "anew\n");
    expect_file(moved, "rotated\n");
    xt_sink_free(sink);
    xt_forward_batch_fini(&batch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_are_counted),
        cmocka_unit_test(structured_data_is_escaped),
        cmocka_unit_test(datagrams_are_cut),
        cmocka_unit_test(cef_is_escaped),
        cmocka_unit_test(bulk_has_the_id),
        cmocka_unit_test(bulk_answers_are_held_against_what_was_sent),
        cmocka_unit_test(own_events_have_no_audit_text),
        cmocka_unit_test(addresses),
        TEST(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
