#include "support.h"

#include "../../fuzz/json_check.h"

/* The document of an event, and that it is one from which all text can be had back. */
static const char *document(const xt_event *event, unsigned options)
{
    static char text[65536];
    xt_arena arena;
    xt_buf out = XT_BUF_INIT;
    xt_arena_init(&arena, 1 << 24);
    assert_int_equal(xt_event_json(event, options, &arena, &out), 0);
    const char *wrong = json_check_document(event, xt_buf_slice(&out));
    if (wrong)
        fail_msg("%s in %.*s", wrong, XT_S_ARGS(xt_buf_slice(&out)));
    assert_true(out.n < sizeof text);
    memcpy(text, out.p, out.n);
    text[out.n] = '\0';
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
    return text;
}

static void test_nesting(void **state)
{
    xt_event e = {0};
    assert_string_equal(document(&e, 0), "{}");
    xt_event_set_num(&e, XT_F_TIME, 1700000000123);
    xt_event_set_num(&e, XT_F_UID, 0);
    xt_event_set_num(&e, XT_F_AUID, 1001);
    xt_event_set_num(&e, XT_F_EXIT, (uint64_t)INT64_MIN);
    xt_event_set_num(&e, XT_F_DURATION, UINT64_MAX);
    xt_event_set_bytes(&e, XT_F_PARENT_EXE, XT_S("/a"));
    xt_event_set_bytes(&e, XT_F_EXE, XT_S("/b"));
    xt_event_set_bytes(&e, XT_F_HASH, XT_S("00"));
    xt_event_set_bytes(&e, XT_F_KEY, XT_S("\2\1k\0"));
    xt_event_set_bytes(&e, XT_F_FLAGS, XT_S("\0"));
    assert_string_equal(
        document(&e, 0),
        "{\"@timestamp\":\"2023-11-14T22:13:20.123Z\",\"event\":{\"duration\":18446744073709551615},\"user\":{\"id\":"
        "\"0\","
        "\"audit\":{\"id\":\"1001\"}},\"auditd\":{\"data\":{\"exit\":-9223372036854775808},\"key\":[\"k\",\"\"]},"
        "\"process\":{\"parent\":{\"executable\":\"/a\"},\"executable\":\"/b\",\"hash\":{\"sha256\":\"00\"}},"
        "\"exectrail\":{\"flags\":[]},\"tags\":[\"k\",\"\"]}");
}

static void test_escaping(void **state)
{
    static const struct {
        const char *text, *json;
        bool escapes;
    } cases[] = {
        {"a\"b\\c", "\"a\\\"b\\\\c\"", false},
        {"\xc3\xa9\xe2\x80\xae\xf0\x9f\x99\x82", "\"\xc3\xa9\xe2\x80\xae\xf0\x9f\x99\x82\"", false},
        {"\n", "\"\\\\x0a\"", true},
        {"\x7f", "\"\\\\x7f\"", true},
        {"a\\\x1b[0m", "\"a\\\\\\\\\\\\x1b[0m\"", true},
        {"\xc0\xaf\xed\xa0\x80", "\"\\\\xc0\\\\xaf\\\\xed\\\\xa0\\\\x80\"", true},
        {"0123456789abcdef\xff", "\"0123456789abcdef\\\\xff\"", true},
        {"\\x41", "\"\\\\x41\"", false},
    };
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        xt_event e = {0};
        xt_event_set_bytes(&e, XT_F_COMM, xt_slice_str(cases[i].text));
        xt_slice text = xt_slice_str(document(&e, 0));
        xt_slice name = json_path(text, XT_S("process.name"));
        assert_slice_eq(name, cases[i].json);
        assert_int_equal(json_is_escaped(text), cases[i].escapes);
    }
}

/* A backslash that was written before the first unclean text is doubled all the same. */
static void test_escaping_is_of_the_whole_event(void **state)
{
    xt_event e = {0};
    xt_event_set_bytes(&e, XT_F_ACTION, XT_S("a\\b"));
    xt_event_set_bytes(&e, XT_F_MESSAGE, XT_S("\1"));
    xt_event_set_bytes(&e, XT_F_FLAGS, XT_S("\1\4late"));
    xt_slice text = xt_slice_str(document(&e, 0));
    assert_slice_eq(json_path(text, XT_S("event.action")), "\"a\\\\\\\\b\"");
    assert_slice_eq(json_path(text, XT_S("exectrail.flags")), "[\"late\",\"escaped\"]");
}

static void test_data(void **state)
{
    seen s = seen_text("type=USER_LOGIN msg=audit(1.000:1): pid=1 tty=pts0 a=1 b=2 msg='a=3 tty=x arch=y'\n");
    xt_event e = seen_get(&s, 0);
    xt_slice text = xt_slice_str(document(&e, XT_EVENT_JSON_RECORDS));
    assert_slice_eq(json_path(text, XT_S("auditd.data.a")), "[\"1\",\"3\"]");
    assert_slice_eq(json_path(text, XT_S("auditd.data.b")), "\"2\"");
    assert_slice_eq(json_path(text, XT_S("auditd.data.tty")), "[\"pts0\",\"x\"]");
    assert_slice_eq(json_path(text, XT_S("auditd.data.arch")), "\"y\"");
    assert_true(xt_slice_find(json_path(text, XT_S("auditd.records")), XT_S("\"type\":\"USER_LOGIN\"")) > 0);
    seen_fini(&s);
}

/* What a value means stands beside it, in the place of the value. */
static void test_interpreted(void **state)
{
    seen s = seen_text(
        "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7f a2=241 "
        "a3=1a4 items=1 ppid=1 pid=7 auid=1001 uid=1001 gid=0 euid=0 suid=0 fsuid=1001 egid=0 sgid=0 fsgid=0 "
        "tty=pts1 ses=5 comm=\"x\" exe=\"/x\" key=\"k\"\x1dUID=\"alice\" FSUID=\"alice\"\n"
        "type=CWD msg=audit(1.000:1): cwd=\"/\"\n"
        "type=PATH msg=audit(1.000:1): item=0 name=\"/y\" inode=1 dev=fe:01 mode=0104755 ouid=1002 ogid=0 "
        "rdev=00:00 nametype=NORMAL cap_fp=0000000000000400 cap_fver=2\x1dOUID=\"bob\" OGID=\"root\"\n"
        "type=SOCKADDR msg=audit(1.000:1): saddr=0100\n");
    xt_event e = seen_get(&s, 0);
    xt_slice json = xt_slice_str(document(&e, XT_EVENT_JSON_RECORDS));
    assert_true(xt_slice_find(json, XT_S("interpreted")) < 0 && xt_slice_find(json, XT_S("\"raw\"")) < 0);
    json = xt_slice_str(document(&e, XT_EVENT_JSON_RECORDS | XT_EVENT_JSON_INTERPRET));
    assert_slice_eq(json_path(json, XT_S("auditd.data.a2")), "\"241\"");
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.a2")), "\"O_WRONLY|O_CREAT|O_TRUNC\"");
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.a0")), "\"AT_FDCWD\"");
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.a3")), "\"0644\"");
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.exit")), "\"EACCES(Permission denied)\"");
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.fsuid")), "\"alice\"");
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.saddr")), "\"unix (unnamed)\"");
    assert_slice_eq(json_path(json, XT_S("auditd.raw.arch")), "\"c000003e\"");
    assert_slice_eq(json_path(json, XT_S("auditd.raw.syscall")), "\"257\"");
    xt_slice paths = json_path(json, XT_S("auditd.paths"));
    assert_true(
        xt_slice_find(paths, XT_S("\"interpreted\":{\"dev\":\"254:1\",\"mode\":\"file,suid,755\",\"ouid\":\"bob\","
                                  "\"ogid\":\"root\",\"cap_fp\":\"net_bind_service\"}")) > 0);
    xt_slice records = json_path(json, XT_S("auditd.records"));
    assert_true(xt_slice_find(records, XT_S("\"cap_fp\":\"net_bind_service\"}}")) > 0);
    assert_true(xt_slice_find(records, XT_S("\"interpreted\":{\"saddr\":\"unix (unnamed)\"}")) > 0);
    seen_fini(&s);
}

/* What a program wrote is named; its fields cannot pass for ours. */
static void test_untrusted(void **state)
{
    seen s = seen_text("type=USER_CMD msg=audit(1.000:1): pid=1 uid=0 msg='op=x type=y interpreted=z type_=w "
                       "acct=\"a\" res=success'\n");
    xt_event e = seen_get(&s, 0);
    xt_slice json = xt_slice_str(document(&e, XT_EVENT_JSON_RECORDS | XT_EVENT_JSON_INTERPRET));
    xt_slice records = json_path(json, XT_S("auditd.records"));
    assert_true(
        xt_slice_find(records, XT_S("\"untrusted\":[\"op\",\"type\",\"interpreted\",\"type_\",\"acct\",\"res\"]")) > 0);
    assert_true(xt_slice_find(records, XT_S("\"type_\":\"y\",\"interpreted_\":\"z\",\"type__\":\"w\"")) > 0);
    assert_true(xt_slice_find(records, XT_S("\"interpreted\":{\"uid\":\"root\"}")) > 0);
    seen_fini(&s);
}

/* The title of a failed exec's caller does not come in by the back door. */
static void test_interpreted_failed_exec(void **state)
{
    seen s = seen_text(
        "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=no exit=-2 a0=1 a1=2 a2=3 a3=4 items=0 "
        "ppid=1 pid=7 auid=1 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=5 comm=\"x\" "
        "exe=\"/x\" key=\"k\"\ntype=PROCTITLE msg=audit(1.000:1): proctitle=6C73002D6C\n");
    xt_event e = seen_get(&s, 0);
    xt_slice json = xt_slice_str(document(&e, XT_EVENT_JSON_INTERPRET));
    assert_slice_eq(json_path(json, XT_S("auditd.interpreted.exit")), "\"ENOENT(No such file or directory)\"");
    assert_true(xt_slice_find(json, XT_S("ls -l")) < 0);
    seen_fini(&s);
}

static void test_many_names(void **state)
{
    xt_buf text = XT_BUF_INIT;
    xt_buf_puts(&text, "type=USER_LOGIN msg=audit(1.000:1):");
    for (int i = 0; i < 600; i++)
        xt_buf_printf(&text, " n%d=%d", i % 300, i);
    xt_buf_putc(&text, '\0');
    seen s = seen_text(text.p);
    xt_event e = seen_get(&s, 0);
    xt_slice json = xt_slice_str(document(&e, 0));
    assert_slice_eq(json_path(json, XT_S("auditd.data.n299")), "[\"299\",\"599\"]");
    seen_fini(&s);
    xt_buf_fini(&text);
}

static void test_projection(void **state)
{
    const xt_field fields[] = {XT_F_PID, XT_F_CMD, XT_F_EVENT_ID, XT_F_HASH, XT_F_COMM};
    xt_event e = {0};
    xt_arena arena;
    xt_buf out = XT_BUF_INIT;
    xt_arena_init(&arena, 1 << 16);
    xt_event_set_num(&e, XT_F_PID, 7);
    xt_event_set_bytes(&e, XT_F_ARGS, XT_S("\2\2ls\1a"));
    xt_event_set_bytes(&e, XT_F_MESSAGE, XT_S("\1")); /* not asked for: no reason to escape */
    assert_int_equal(xt_event_json_fields(&e, fields, 5, &arena, &out), 0);
    assert_slice_eq(xt_buf_slice(&out), "{\"process.pid\":7,\"process.command_line\":\"ls a\"}");
    xt_buf_reset(&out);
    xt_event_set_bytes(&e, XT_F_COMM, XT_S("\1"));
    assert_int_equal(xt_event_json_fields(&e, fields, 5, &arena, &out), 0);
    assert_slice_eq(xt_buf_slice(&out),
                    "{\"process.pid\":7,\"process.command_line\":\"ls a\",\"process.name\":\"\\\\x01\","
                    "\"exectrail.flags\":[\"escaped\"]}");
    xt_buf_reset(&out);
    assert_int_equal(xt_event_json_fields(&e, NULL, 0, &arena, &out), 0);
    assert_slice_eq(xt_buf_slice(&out), "{}");
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
}

static void test_text(void **state)
{
    static const struct {
        xt_field field;
        const char *text;
    } wanted[] = {{XT_F_TIME, "1970-01-01T00:00:01.000Z"},
                  {XT_F_PID, "7"},
                  {XT_F_EXIT, "-2"},
                  {XT_F_ARGS, "ls a"},
                  {XT_F_CMD, "ls a"},
                  {XT_F_ARGC, "2"},
                  {XT_F_HASH, ""}};
    xt_event e = {0};
    xt_event_set_num(&e, XT_F_TIME, 1000);
    xt_event_set_num(&e, XT_F_PID, 7);
    xt_event_set_num(&e, XT_F_EXIT, (uint64_t)INT64_C(-2));
    xt_event_set_bytes(&e, XT_F_ARGS, XT_S("\2\2ls\1a"));
    for (size_t i = 0; i < XT_COUNT_OF(wanted); i++) {
        xt_buf out = XT_BUF_INIT;
        xt_event_field_text(&e, wanted[i].field, &out);
        assert_slice_eq(xt_buf_slice(&out), wanted[i].text);
        xt_buf_fini(&out);
    }
}

static void test_without_memory(void **state)
{
    seen s = seen_text("type=USER_LOGIN msg=audit(1.000:1): pid=1 a=1 b=2 msg='a=3 b=x'\n");
    xt_event e = seen_get(&s, 0);
    int r = -1;
    for (size_t limit = 1; r != 0; limit += 8) {
        xt_arena arena;
        xt_buf out = XT_BUF_INIT;
        xt_arena_init(&arena, limit);
        r = xt_event_json(&e, XT_EVENT_JSON_RECORDS, &arena, &out);
        assert_true(r == 0 || r == -12);
        assert_true(limit < 65536);
        xt_buf_fini(&out);
        xt_arena_fini(&arena);
    }
    r = -1;
    for (size_t max = 1; r != 0; max += 16) {
        xt_arena arena;
        xt_buf out = {.max_bytes = max};
        xt_arena_init(&arena, 1 << 20);
        r = xt_event_json(&e, 0, &arena, &out);
        assert_true((r == 0 || r == -12) && max < 65536);
        xt_buf_fini(&out);
        xt_arena_fini(&arena);
    }
    seen_fini(&s);
}

static int check_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_buf out = XT_BUF_INIT;
    (void)context;
    for (unsigned options = 0; options < 2; options++) {
        xt_buf_reset(&out);
        assert_int_equal(xt_event_json(event, options, arena, &out), 0);
        const char *wrong = json_check_document(event, xt_buf_slice(&out));
        if (wrong)
            fail_msg("%s in %.*s", wrong, XT_S_ARGS(xt_buf_slice(&out)));
    }
    xt_buf_fini(&out);
    return 0;
}

/* Every event of the captures: valid, and all its text can be had back. */
static void test_captures(void **state)
{
    static const char *const names[] = {"args.log",    "argv-head.log", "compat32-head.log",
                                        "session.log", "tamper.log",    "tty.log"};
    const char *data = getenv("XT_TEST_DATA");
    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/capture/%s", data ? data : "tests/data", names[i]);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        xt_decoder_settings settings = {.origin = {.host_name = XT_S("h")}, .on_event = check_event};
        xt_decoder *decoder;
        static char bytes[65536];
        assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
        for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
            assert_int_equal(xt_decoder_feed(decoder, xt_slice_of(bytes, n)), 0);
        assert_int_equal(xt_decoder_finish(decoder), 0);
        xt_decoder_free(decoder);
        fclose(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_escaping_is_of_the_whole_event),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_interpreted),
        cmocka_unit_test(test_interpreted_failed_exec),
        cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_projection),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
