/* Lines, payloads and the field iterator; real lines are in test_audit_corpus.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/record.h"

#define assert_slice(s, text)                                          \
    do {                                                               \
        xt_slice got_ = (s), want_ = xt_slice_str(text);               \
        if (!xt_slice_eq(got_, want_))                                 \
            fail_msg("got <%.*s>, not <%s>", XT_S_ARGS(got_), (text)); \
    } while (0)

static xt_record parsed(const char *line)
{
    xt_record record;
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_record_parse_line(xt_slice_str(line), &record, &problem) != 0)
        fail_msg("%s: %s", line, problem.sentence);
    return record;
}

static void test_line(void **state)
{
    xt_record r = parsed("type=CWD msg=audit(1795354440.705:67353):  cwd=\"/root\"\r\n");
    assert_int_equal(r.type, 1307);
    assert_int_equal(r.time_ms, INT64_C(1795354440705));
    assert_int_equal(r.serial, 67353);
    assert_int_equal(r.node.n, 0);
    assert_slice(r.body, "cwd=\"/root\"");
    assert_int_equal(r.enriched.n, 0);
}

static void test_forms(void **state)
{
    xt_record r =
        parsed("node=db-17.example type=UNKNOWN[1337] msg=audit(1.002:4294967295): a=1\x1dUID=\"root\" AUID=\"x\"");
    assert_slice(r.node, "db-17.example");
    assert_int_equal(r.type, 1337);
    assert_int_equal(r.time_ms, 1002);
    assert_int_equal(r.serial, UINT32_MAX);
    assert_slice(r.body, "a=1");
    assert_slice(r.enriched, "UID=\"root\" AUID=\"x\"");
    r = parsed("type=SYSCALL audit(10.000:5): arch=c000003e");
    assert_int_equal(r.type, 1300);
    assert_slice(r.body, "arch=c000003e");
    r = parsed("Nov 23 02:10:43 host kernel: [  12.5] audit: type=1400 audit(10.010:6): avc:  denied");
    assert_int_equal(r.type, 1400);
    assert_int_equal(r.time_ms, 10010);
    assert_slice(r.body, "avc:  denied");
    r = parsed("type=EOE msg=audit(10.010:7):");
    assert_int_equal(r.type, 1320);
    assert_int_equal(r.body.n, 0);
}

static void test_leading_nuls(void **state)
{
    static const char line[] = "\0\0\0\0type=EOE msg=audit(1.000:7): ";
    xt_record r;
    assert_int_equal(xt_record_parse_line(xt_slice_of(line, sizeof line - 1), &r, NULL), 0);
    assert_int_equal(r.serial, 7);
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_record_parse_line(xt_slice_of(line, 4), &r, &problem), XT_RECORD_E_CORRUPT);
}

/* A program may send 0x1d in its message: of a RAW log's line nothing is taken for auditd's. */
static void test_mark_in_user_message(void **state)
{
    xt_record r = parsed("type=TEST msg=audit(1.000:1): uid=0 msg='text=\x1dUID=\"root\" res=success'");
    assert_slice(r.body, "uid=0 msg='text=\x1dUID=\"root\" res=success'");
    assert_int_equal(r.enriched.n, 0);
    r = parsed("type=TEST msg=audit(1.000:1): uid=5 msg='text=\x1dUID=\"root\" res=success'\x1dUID=\"bob\"");
    assert_slice(r.body, "uid=5 msg='text=\x1dUID=\"root\" res=success'");
    assert_slice(r.enriched, "UID=\"bob\"");
}

static void check_corrupt(const char *line, unsigned column)
{
    xt_record r = {.serial = 77};
    xt_problem problem = XT_PROBLEM_INIT;
    int got = xt_record_parse_line(xt_slice_str(line), &r, &problem);
    if (got != XT_RECORD_E_CORRUPT || problem.column != column)
        fail_msg("%s: %d at %d", line, got, (int)problem.column);
    assert_true(xt_problem_is_set(&problem));
    assert_int_equal(r.serial, 77);
}

/* A type of a later kernel: its name leads the body. */
static void test_named_type(void **state)
{
    xt_record r;
    xt_slice name, fields;
    assert_int_equal(
        xt_record_parse_line(XT_S("node=n type=FOO_BAR2 msg=audit(1.000:7): a=1 b=(2\x1dUID=\"x\""), &r, NULL), 0);
    assert_int_equal(r.type, XT_RECORD_NAMED);
    assert_int_equal(r.serial, 7);
    assert_true(xt_record_cut_name(r.body, &name, &fields));
    assert_slice(name, "FOO_BAR2");
    assert_slice(fields, "a=1 b=(2");
    assert_slice(r.enriched, "UID=\"x\"");
    assert_int_equal(xt_record_parse_line(XT_S("type=UNKNOWN[1420] msg=audit(1.000:7): a=1"), &r, NULL), 0);
    assert_int_equal(r.type, 1420);
    assert_false(xt_record_cut_name(r.body, &name, &fields));
    assert_false(xt_record_cut_name(XT_S(""), &name, &fields));
    (void)state;
}

static void test_corrupt(void **state)
{
    check_corrupt("hello", 1);
    check_corrupt("node=x", 7);
    check_corrupt("node=x hello", 8);
    check_corrupt("type=", 6);
    check_corrupt("type=Nosuch msg=audit(1.000:1): ", 6);
    check_corrupt("type=NOSUCH! msg=audit(1.000:1): ", 6);
    check_corrupt("type=UNKNOWN[65535] msg=audit(1.000:1): ", 6);
    check_corrupt("type=65535 msg=audit(1.000:1): ", 6);
    check_corrupt("type=NOSUCH msg=audit(1.00:1): ", 27);
    check_corrupt("type=UNKNOWN[99999] msg=audit(1.000:1): ", 6);
    check_corrupt("type=CWD", 9);
    check_corrupt("type=CWD msg=audit(1.00:1): ", 24);
    check_corrupt("type=CWD msg=audit(1.000:): ", 26);
    check_corrupt("type=CWD msg=audit(1.000:12", 28);
    check_corrupt("type=CWD msg=audit(1.000:4294967296): ", 38);
    check_corrupt("type=CWD msg=audit(9999999999999.000:1): ", 32);
    check_corrupt("type=CWD msg=audit(253402300800.000:1): ", 40);
    xt_record r;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_slice interpreted = XT_S("type=CWD msg=audit(11/14/23 22:13:20.001:1) :  cwd=/");
    assert_int_equal(xt_record_parse_line(interpreted, &r, &problem), XT_RECORD_E_CORRUPT);
    assert_true(problem.hint[0] != '\0');
}

static void test_empty(void **state)
{
    xt_record r;
    assert_int_equal(xt_record_parse_line(XT_S_NULL, &r, NULL), XT_RECORD_E_EMPTY);
    assert_int_equal(xt_record_parse_line(XT_S(" \r\n"), &r, NULL), XT_RECORD_E_EMPTY);
    assert_int_equal(xt_record_parse_payload(1300, XT_S_NULL, &r, NULL), XT_RECORD_E_EMPTY);
}

static void test_payload(void **state)
{
    static const char payload[] = "audit(1795354440.705:9): argc=1 a0=\"x\x1d\"\0";
    xt_record r;
    assert_int_equal(xt_record_parse_payload(1309, xt_slice_of(payload, sizeof payload), &r, NULL), 0);
    assert_int_equal(r.type, 1309);
    assert_int_equal(r.time_ms, INT64_C(1795354440705));
    assert_slice(r.body, "argc=1 a0=\"x\x1d\"");
    assert_int_equal(r.enriched.n, 0);
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_record_parse_payload(2, XT_S("\1\2\3"), &r, &problem), XT_RECORD_E_CORRUPT);
    assert_int_equal(problem.column, 1);
}

/* Fields as "name|value|quoting" joined by spaces. */
static void check_fields(const char *body, const char *want)
{
    xt_buf out = XT_BUF_INIT;
    xt_slice rest = xt_slice_str(body);
    xt_audit_field field;
    while (xt_audit_field_next(&rest, &field))
        xt_buf_printf(&out, "%s%.*s|%.*s|%c", out.n ? " " : "", XT_S_ARGS(field.name), XT_S_ARGS(field.value),
                      "bdsB"[field.quoting]);
    assert_int_equal(rest.n, 0);
    assert_slice(xt_buf_slice(&out), want);
    xt_buf_fini(&out);
}

static void test_fields(void **state)
{
    check_fields("", "");
    check_fields("   ", "");
    check_fields("a=1 b=\"x y\"  c=(null) d= e", "a|1|b b|x y|d c|(null)|b d||b |e|b");
    /* a quoted value is what it is */
    check_fields("a0=\"type=EXECVE\" a1=\"(null)\" a2=\"'\" a3=\"DEADBEEF,\" a4=\"a)\" a5=\"{\"",
                 "a0|type=EXECVE|d a1|(null)|d a2|'|d a3|DEADBEEF,|d a4|a)|d a5|{|d");
    check_fields("a0=\"cut off", "a0|cut off|d");
    check_fields("a0=\"", "a0||d");
    check_fields("a1_len=5 a1[0]=41 a1[1]=\"b\"", "a1_len|5|b a1[0]|41|b a1[1]|b|d");
    check_fields("tty=(none) ses=1", "tty|(none)|b ses|1|b");
    check_fields("=x y==z", "|=x|b y|=z|b");
}

static void test_fields_of_old_and_odd_records(void **state)
{
    check_fields("avc:  denied  { read write } for  pid=1",
                 "|avc:|b |denied|b |{|b |read|b |write|b |}|b |for|b pid|1|b");
    check_fields("subj=docker-default (enforce) key=x", "subj|docker-default (enforce)|b key|x|b");
    check_fields("subj==unconfined x=1", "subj|=unconfined|b x|1|b");
    check_fields("old auid=1 new auid=2", "|old|b auid|1|b |new|b auid|2|b");
    check_fields("auditd start, ver=3", "|auditd|b |start,|b ver|3|b");
    check_fields("(hostname=?, addr=?, terminal=cron res=success)",
                 "hostname|?|b addr|?|b terminal|cron|b res|success|b");
    check_fields("dev={x prom=256 old_prom=0", "dev|{x|b prom|256|b old_prom|0|b");
    check_fields("error_msg='a b' x=1", "error_msg|a b|s x|1|b");
    check_fields("dev='x prom=1", "dev|'x|b prom|1|b");
}

static void test_message(void **state)
{
    xt_slice body = XT_S("pid=1 uid=0 msg='acct=\"system-property('xsl:vendor')/>\" res=failed'");
    xt_audit_field field;
    assert_true(xt_audit_field_find(body, XT_S("msg"), &field));
    assert_int_equal(field.quoting, XT_SINGLE);
    check_fields("msg='op=x'", "msg|op=x|s");
    check_fields("msg='cut off", "msg|cut off|s");
    assert_true(xt_audit_field_find(field.value, XT_S("acct"), &field));
    assert_slice(field.value, "system-property('xsl:vendor')/>");
}

static void test_enriched(void **state)
{
    check_fields("SADDR={ saddr_fam=local path=/run/}x } UID=\"a b\"",
                 "SADDR|saddr_fam=local path=/run/}x|B UID|a b|d");
    check_fields("SADDR={ saddr_fam=inet", "SADDR|saddr_fam=inet|B");
    check_fields("SADDR={}", "SADDR|}|B");
    check_fields("ARCH=x86_64 SYSCALL=execve", "ARCH|x86_64|b SYSCALL|execve|b");
}

static void test_find(void **state)
{
    xt_slice body = XT_S("ppid=1 opid=2 name=\"pid=3\" pid=4 pid=5");
    xt_audit_field field;
    assert_true(xt_audit_field_find(body, XT_S("pid"), &field));
    assert_slice(field.value, "4");
    assert_false(xt_audit_field_find(body, XT_S("id"), &field));
    assert_false(xt_audit_field_find(XT_S("word"), XT_S(""), &field));
    assert_false(xt_audit_field_find(XT_S_NULL, XT_S("x"), &field));
}

/* Names and values of every length around the eight bytes that are looked at together. */
static void test_lengths(void **state)
{
    for (size_t n_name = 1; n_name < 20; n_name++) {
        for (size_t n_value = 0; n_value < 70; n_value++) {
            size_t n = n_name + 1 + n_value + 4;
            char *text = malloc(n); /* exactly as long: the address sanitizer sees a byte too far */
            memset(text, 'n', n_name);
            text[n_name] = '=';
            memset(text + n_name + 1, 'v', n_value);
            memcpy(text + n - 4, " z=1", 4);
            xt_slice rest = xt_slice_of(text, n);
            xt_audit_field field;
            assert_true(xt_audit_field_next(&rest, &field));
            assert_int_equal(field.name.n, n_name);
            assert_int_equal(field.value.n, n_value);
            assert_true(xt_audit_field_next(&rest, &field));
            assert_slice(field.name, "z");
            assert_false(xt_audit_field_next(&rest, &field));
            free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),         cmocka_unit_test(test_forms),
        cmocka_unit_test(test_leading_nuls), cmocka_unit_test(test_mark_in_user_message),
        cmocka_unit_test(test_named_type),   cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_fields_of_old_and_odd_records),
        cmocka_unit_test(test_message),      cmocka_unit_test(test_enriched),
        cmocka_unit_test(test_find),         cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
