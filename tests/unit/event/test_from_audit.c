#include "support.h"

#define STAMP "msg=audit(1700000000.123:7): "
#define CALL(success, exit)                                                                                           \
    "type=SYSCALL " STAMP "arch=c000003e syscall=59 success=" success " exit=" exit                                   \
    " a0=1 a1=2 a2=3 a3=4 items=2 ppid=10 pid=11 auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=42 sgid=0 fsgid=0 " \
    "tty=pts1 ses=5 comm=\"bash\" exe=\"/usr/bin/bash\" subj=unconfined key=\"a\"\n"

static xt_slice data(const xt_event *event, const char *name, unsigned nth)
{
    xt_slice value = XT_S("(absent)");
    xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), xt_slice_str(name), nth, &value);
    return value;
}

#define assert_text(event, field, z) assert_slice_eq(xt_event_bytes((event), (field)), z)
#define assert_data(event, name, z)  assert_slice_eq(data((event), (name), 0), z)

static void test_exec(void **state)
{
    seen s =
        seen_text(CALL("yes", "0") "type=EXECVE " STAMP "argc=2 a0=\"ls\" a1=612062\n"
                                   "type=CWD " STAMP " cwd=\"/root\"\n"
                                   "type=PATH " STAMP
                                   "item=0 name=\"/bin/ls\" inode=5 dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 "
                                   "obj=x nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0\n"
                                   "type=PATH " STAMP "item=1 name=\"/lib/ld.so\" nametype=NORMAL\n"
                                   "type=PROCTITLE " STAMP "proctitle=6C73006120\n");
    assert_int_equal(s.n, 1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_TIME, 0), 1700000000123);
    assert_int_equal(xt_event_num(&e, XT_F_SERIAL, 0), 7);
    assert_text(&e, XT_F_ACTION, "executed");
    assert_text(&e, XT_F_OUTCOME, "success");
    assert_text(&e, XT_F_CODE, "SYSCALL");
    assert_text(&e, XT_F_HOST, "web-1");
    assert_text(&e, XT_F_ARCH, "x86_64");
    assert_text(&e, XT_F_SYSCALL, "execve");
    assert_text(&e, XT_F_EXE, "/usr/bin/bash");
    assert_text(&e, XT_F_CWD, "/root");
    assert_text(&e, XT_F_TTY, "pts1");
    assert_int_equal(xt_event_num(&e, XT_F_EGID, 0), 42);
    assert_int_equal(xt_event_num(&e, XT_F_PPID, 0), 10);
    assert_slice_eq(list_item(xt_event_bytes(&e, XT_F_ARGS), 1), "a b");
    assert_slice_eq(list_item(xt_event_bytes(&e, XT_F_KEY), 0), "a");
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    assert_false(xt_event_has(&e, XT_F_SCRIPT)); /* another name of the program is no script */
    assert_data(&e, "subj", "unconfined");
    assert_data(&e, "a0", "(absent)");
    assert_data(&e, "proctitle", "(absent)");
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(&e, XT_F_PATHS));
    xt_path path;
    assert_true(xt_paths_next(&iter, &path));
    assert_true(path.has_inode && path.inode == 5 && path.dev_major == 0xfe && path.mode == 0100755);
    assert_slice_eq(path.rest, "obj=x");
    assert_true(xt_paths_next(&iter, &path) && !path.has_inode && path.item == 1);
    seen_fini(&s);
}

static void test_records_hold_types_in_order(void **state)
{
    static const uint16_t wanted[] = {1309, 1300, 1302, 1327};
    seen s = seen_text("type=EXECVE " STAMP
                       "argc=1 a0=\"ls\"\n" CALL("yes", "0") "type=PATH " STAMP
                                                             "item=0 name=\"/bin/ls\" nametype=NORMAL\ntype=EOE " STAMP
                                                             "\ntype=PROCTITLE " STAMP "proctitle=\"other\"\n");
    xt_event e = seen_get(&s, 0);
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(&e, XT_F_RECORDS));
    uint16_t type;
    assert_text(&e, XT_F_CODE, "SYSCALL");
    for (size_t i = 0; i < 3; i++) {
        assert_true(xt_recs_next(&iter, &type));
        assert_int_equal(type, wanted[i]);
    }
    seen_fini(&s);
}

static void test_failed_exec(void **state)
{
    seen s = seen_text(CALL("no", "-2") "type=CWD " STAMP " cwd=\"/root\"\ntype=PATH " STAMP
                                        "item=0 name=\"./bin/x\" nametype=UNKNOWN\ntype=PATH " STAMP
                                        "item=1 name=(null) nametype=UNKNOWN\ntype=PROCTITLE " STAMP
                                        "proctitle=\"caller\"\n");
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_ACTION, "executed");
    assert_text(&e, XT_F_OUTCOME, "failure");
    assert_text(&e, XT_F_EXE, "/root/bin/x");
    assert_text(&e, XT_F_COMM, "bash");
    assert_data(&e, "exe", "/usr/bin/bash");
    assert_data(&e, "proctitle", "caller");
    assert_false(xt_event_has(&e, XT_F_ARGS));
    assert_false(xt_event_has(&e, XT_F_FLAGS));
    assert_int_equal((int64_t)xt_event_num(&e, XT_F_EXIT, 0), -2);
    xt_arena arena;
    xt_buf out = XT_BUF_INIT;
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_event_json(&e, 0, &arena, &out), 0);
    assert_int_equal(xt_slice_find(xt_buf_slice(&out), XT_S("caller")), -1);
    xt_buf_reset(&out);
    assert_int_equal(xt_event_json(&e, XT_EVENT_JSON_RECORDS, &arena, &out), 0);
    assert_true(xt_slice_find(xt_buf_slice(&out), XT_S("\"proctitle\":\"caller\"")) > 0);
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
    seen_fini(&s);
}

static void test_relative_to_a_directory_that_is_not_known(void **state)
{
    seen s = seen_text("type=SYSCALL " STAMP "arch=c000003e syscall=322 success=no exit=-2 a0=5 a1=0 a2=0 a3=0 items=1 "
                       "ppid=1 pid=2 auid=4294967295 uid=0 ses=4294967295 comm=\"x\" exe=\"/y\" key=(null)\n"
                       "type=CWD " STAMP " cwd=\"/root\"\ntype=PATH " STAMP "item=0 name=\"sub/x\" nametype=UNKNOWN\n");
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_SYSCALL, "execveat");
    assert_text(&e, XT_F_EXE, "sub/x");
    assert_false(xt_event_has(&e, XT_F_AUID) || xt_event_has(&e, XT_F_SES) || xt_event_has(&e, XT_F_KEY));
    seen_fini(&s);
}

static void test_script(void **state)
{
    seen s = seen_text("type=SYSCALL " STAMP "arch=c000003e syscall=59 success=yes exit=0 items=3 ppid=1 pid=2 "
                       "comm=\"go.sh\" exe=\"/usr/bin/bash\" key=\"a\"\ntype=EXECVE " STAMP
                       "argc=3 a0=\"/bin/bash\" a1=\"-e\" a2=\"./go.sh\"\ntype=CWD " STAMP " cwd=\"/srv\"\n"
                       "type=PATH " STAMP "item=0 name=\"./go.sh\" nametype=NORMAL\ntype=PATH " STAMP
                       "item=1 name=\"/bin/bash\" nametype=NORMAL\ntype=PATH " STAMP
                       "item=2 name=\"/lib64/ld.so\" nametype=NORMAL\n");
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_SCRIPT, "/srv/go.sh");
    assert_text(&e, XT_F_EXE, "/usr/bin/bash");
    seen_fini(&s);
}

static void test_keys(void **state)
{
    seen s = seen_text("type=SYSCALL " STAMP "arch=c000003e syscall=2 success=yes exit=3 items=0 pid=2 comm=612062 "
                       "exe=2F746D702F612062 key=6F6E650174776F\n");
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_list_count(xt_event_bytes(&e, XT_F_KEY)), 2);
    assert_slice_eq(list_item(xt_event_bytes(&e, XT_F_KEY), 1), "two");
    assert_text(&e, XT_F_COMM, "a b");
    assert_text(&e, XT_F_EXE, "/tmp/a b");
    assert_text(&e, XT_F_ACTION, "opened-file");
    seen_fini(&s);
}

static void test_flags(void **state)
{
    static const struct {
        const char *text, *flag;
    } cases[] = {
        {CALL("yes", "0"), "missing-execve"},
        {CALL("yes", "0") "type=EXECVE " STAMP "argc=3 a0=\"a\"\n", "missing-args"},
        {CALL("yes", "0") "type=EXECVE " STAMP "argc=1 a0=\"a\" a1=\"b\"\n", "args-mismatch"},
        {CALL("yes", "0") "type=EXECVE " STAMP "argc=1 a0=\"a\"\n", "missing-path"},
        {"type=EXECVE " STAMP "argc=1 a0=\"a\"\n", "no-syscall"},
        {"type=CWD " STAMP " cwd=\"/\"\n", "no-syscall"},
    };
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        seen s = seen_text(cases[i].text);
        xt_event e = seen_get(&s, 0);
        assert_true(list_has(xt_event_bytes(&e, XT_F_FLAGS), cases[i].flag));
        seen_fini(&s);
    }
    seen s = seen_text(cases[1].text);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_MISSING, "1-2");
    assert_data(&e, "argc", "3");
    seen_fini(&s);
}

static void test_late_record_is_an_amendment(void **state)
{
    const xt_record records[] = {{.type = 1327, .serial = 7, .time_ms = 5, .body = XT_S("proctitle=\"x\"")}};
    xt_group group = {.time_ms = 5, .serial = 7, .flags = XT_GROUP_LATE, .records = records, .n_records = 1};
    xt_event_origin origin = {.host_name = XT_S("h"), .host_id = XT_S("1234")};
    xt_event e, again;
    xt_arena arena;
    char of[33];
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_event_from_group(&group, &origin, NULL, &arena, &e), 0);
    assert_int_equal(xt_event_from_group(&group, &origin, NULL, &arena, &again), 0);
    xt_hash128_format(xt_event_id_of(XT_S("1234"), 5, 7), of);
    assert_text(&e, XT_F_ACTION, "amended");
    assert_text(&e, XT_F_OF, of);
    assert_true(list_has(xt_event_bytes(&e, XT_F_FLAGS), "late"));
    assert_int_equal(xt_event_bytes(&e, XT_F_EVENT_ID).n, 32);
    assert_false(xt_slice_eq(xt_event_bytes(&e, XT_F_EVENT_ID), xt_slice_str(of)));
    assert_true(xt_slice_eq(xt_event_bytes(&e, XT_F_EVENT_ID), xt_event_bytes(&again, XT_F_EVENT_ID)));
    xt_arena_fini(&arena);
}

static void test_login(void **state)
{
    seen s =
        seen_text("node=db-1 type=USER_LOGIN " STAMP "pid=25535 uid=0 auid=1001 ses=11 msg='op=login id=1001 "
                  "exe=\"/usr/sbin/sshd\" hostname=h addr=10.0.0.7 terminal=/dev/pts/1 res=success'\x1dUID=\"root\" "
                  "AUID=\"alice\" ID=\"alice\"\n");
    xt_event e = seen_get(&s, 0);
    char id[33];
    xt_hash128_format(xt_event_import_host_id(XT_S("db-1")), id);
    assert_text(&e, XT_F_ACTION, "logged-in");
    assert_text(&e, XT_F_OUTCOME, "success");
    assert_text(&e, XT_F_HOST, "db-1");
    assert_text(&e, XT_F_HOST_ID, id);
    assert_text(&e, XT_F_FROM, "10.0.0.7");
    assert_text(&e, XT_F_TTY, "pts1");
    assert_text(&e, XT_F_USER, "root");
    assert_text(&e, XT_F_LOGIN, "alice");
    assert_false(xt_event_has(&e, XT_F_EXE)); /* a program wrote it */
    assert_data(&e, "exe", "/usr/sbin/sshd");
    assert_data(&e, "terminal", "/dev/pts/1");
    assert_data(&e, "ID", "alice");
    assert_int_equal(xt_event_num(&e, XT_F_SES, 0), 11);
    seen_fini(&s);
}

static void test_sudo(void **state)
{
    seen s = seen_text("type=USER_CMD " STAMP "pid=1 uid=1001 auid=1001 ses=19 msg='cwd=\"/home/a\" cmd=69642061 "
                       "exe=\"/usr/bin/sudo\" terminal=pts/1 res=failed'\n");
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_ACTION, "ran-sudo");
    assert_text(&e, XT_F_OUTCOME, "failure");
    assert_data(&e, "cmd", "id a");
    seen_fini(&s);
}

static void test_configuration(void **state)
{
    seen s = seen_text(
        "type=CONFIG_CHANGE " STAMP "auid=4294967295 ses=4294967295 op=add_rule key=\"cmd\" list=4 res=0\n"
        "type=SYSCALL " STAMP "arch=c000003e syscall=44 success=yes exit=60 a0=3 a1=7 a2=3c a3=0 items=0 "
        "ppid=1 pid=2 auid=4294967295 uid=0 gid=0 ses=4294967295 comm=\"auditctl\" exe=\"/usr/sbin/auditctl\" "
        "key=(null)\x1d"
        "ARCH=x86_64 SYSCALL=sendto AUID=\"unset\" UID=\"root\" GID=\"root\"\n");
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_ACTION, "changed-audit-configuration");
    assert_text(&e, XT_F_OUTCOME, "failure"); /* the record's own res, not the call's */
    assert_text(&e, XT_F_CODE, "CONFIG_CHANGE");
    assert_text(&e, XT_F_EXE, "/usr/sbin/auditctl");
    assert_text(&e, XT_F_GROUP, "root");
    assert_data(&e, "key", "cmd");
    assert_data(&e, "a0", "3");
    assert_data(&e, "SYSCALL", "(absent)");
    assert_data(&e, "auid", "(absent)");
    assert_false(xt_event_has(&e, XT_F_KEY) || xt_event_has(&e, XT_F_LOGIN));
    seen_fini(&s);
}

static void test_contradictions_are_kept(void **state)
{
    seen s = seen_text("type=LOGIN " STAMP
                       "pid=11 uid=5 old-auid=1 auid=1001 tty=(none) ses=5 res=1\x1dUID=\"bob\"\n" CALL("yes", "4"));
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_UID, 9), 0);
    assert_data(&e, "uid", "5");
    assert_data(&e, "UID", "bob");
    assert_data(&e, "tty", "(none)");
    assert_data(&e, "pid", "(absent)");
    assert_data(&e, "auid", "(absent)");
    seen_fini(&s);
}

static void test_words(void **state)
{
    seen s = seen_text("type=AVC " STAMP
                       "avc:  denied  { read } for  pid=9 comm=\"x\" name=\"f\" dev=\"sda1\" tclass=file\n");
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_ACTION, "violated-access-policy");
    assert_data(&e, "text", "avc:  denied  { read } for");
    assert_data(&e, "name", "f");
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 9);
    seen_fini(&s);
}

static xt_slice name_of(void *context, uint32_t id)
{
    *(int *)context += 1;
    return id == 0 ? XT_S("root") : id == 1001 ? XT_S("alice") : XT_S_NULL;
}

static void test_names_are_asked(void **state)
{
    int n = 0;
    seen s = {0};
    xt_name_source names = {.user = name_of, .group = NULL, .context = &n};
    xt_decoder_settings settings = seen_settings(&s);
    settings.names = &names;
    seen_feed(&s, &settings, xt_slice_str(CALL("yes", "0")), 1000);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_USER, "root");
    assert_text(&e, XT_F_LOGIN, "alice");
    assert_false(xt_event_has(&e, XT_F_GROUP));
    assert_int_equal(n, 3);
    seen_fini(&s);
}

static void test_names_of_other_ids_are_kept_once(void **state)
{
    seen s = seen_text("type=SYSCALL " STAMP "arch=c000003e syscall=2 success=yes exit=0 items=1 pid=1 uid=1001 gid=7 "
                       "suid=1001 egid=8\x1dUID=\"alice\" GID=\"g\" SUID=\"alice\" EGID=\"h\"\n"
                       "type=PATH " STAMP "item=0 name=\"/f\" inode=1 dev=0:1 mode=0100644 ouid=33 ogid=0 rdev=00:00 "
                       "nametype=NORMAL\x1dOUID=\"www\" OGID=\"root\"\n");
    xt_event e = seen_get(&s, 0);
    assert_data(&e, "SUID", "(absent)");
    assert_data(&e, "EGID", "h");
    assert_data(&e, "OUID", "www");
    assert_data(&e, "OGID", "(absent)");
    seen_fini(&s);
}

static void test_garbage(void **state)
{
    xt_event_origin origin = {.host_name = XT_S("h")};
    xt_event a, b;
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_event_from_garbage(XT_S("junk"), 5, 1, &origin, &arena, &a), 0);
    assert_int_equal(xt_event_from_garbage(XT_S("junk"), 5, 2, &origin, &arena, &b), 0);
    assert_text(&a, XT_F_ACTION, "unparsed");
    assert_text(&a, XT_F_ORIGINAL, "junk");
    assert_true(list_has(xt_event_bytes(&a, XT_F_FLAGS), "unparsed"));
    assert_false(xt_slice_eq(xt_event_bytes(&a, XT_F_EVENT_ID), xt_event_bytes(&b, XT_F_EVENT_ID)));
    xt_arena_fini(&arena);
}

/* Whatever piece of memory is the one that is missing: -ENOMEM, and with all of them the same event. */
static void test_without_memory(void **state)
{
    const xt_record records[] = {
        {.type = 1300,
         .body = XT_S("arch=c000003e syscall=59 success=yes items=2 pid=1 uid=0 comm=6120 exe=\"/b\" "
                      "key=6101 x=1 y=2")},
        {.type = 1309, .body = XT_S("argc=3 a0=\"sh\" a2=6120")},
        {.type = 1307, .body = XT_S("cwd=6120")},
        {.type = 1302, .body = XT_S("item=0 name=6120 inode=1 obj=c nametype=NORMAL"), .enriched = XT_S("OUID=\"x\"")},
        {.type = 1327, .body = XT_S("proctitle=61620063")},
    };
    xt_group group = {.time_ms = 5, .serial = 7, .records = records, .n_records = XT_COUNT_OF(records)};
    int n = 0, r = -1, n_failed = 0;
    xt_name_source names = {.user = name_of, .context = &n};
    xt_event_origin origin = {.host_name = XT_S("h")};
    for (size_t limit = 1; r != 0; limit += 8) {
        xt_event e;
        xt_arena arena;
        xt_arena_init(&arena, limit);
        r = xt_event_from_group(&group, &origin, &names, &arena, &e);
        assert_true(r == 0 || r == -12);
        n_failed += r != 0;
        xt_arena_fini(&arena);
        assert_true(limit < 65536);
    }
    assert_true(n_failed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_records_hold_types_in_order),
        cmocka_unit_test(test_failed_exec),
        cmocka_unit_test(test_relative_to_a_directory_that_is_not_known),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_late_record_is_an_amendment),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_sudo),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_contradictions_are_kept),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_names_are_asked),
        cmocka_unit_test(test_names_of_other_ids_are_kept_once),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
