/* event/secret_seal: what the key's owner gets back, what others and other events get, and what the length tells. */
#include "support.h"

#include "event/secret_redact.h"

#define EXEC(stamp, args)                                                                                        \
    "type=SYSCALL msg=audit(" stamp "): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=5 uid=0 " \
    "comm=\"x\" exe=\"/x\"\ntype=EXECVE msg=audit(" stamp "): " args "\ntype=PROCTITLE msg=audit(" stamp "): "   \
    "proctitle=6D7973716C002D7068756E7465723200\n"

typedef struct fixture {
    xt_secret_rules *rules;
    xt_hpke_key own;
    xt_secret_seal_key key;
    xt_arena arena;
    xt_buf opened, bound;
} fixture;

static int open_fixture(void **state)
{
    static fixture f;
    assert_int_equal(xt_secret_rules_builtin(&f.rules), 0);
    assert_int_equal(xt_hpke_key_make(&f.own), 0);
    assert_int_equal(xt_secret_seal_key_of(&f.own, &f.key), 0);
    xt_arena_init(&f.arena, 16 << 20);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *f = *state;
    xt_secret_rules_unref(f->rules);
    xt_arena_fini(&f->arena);
    xt_buf_fini(&f->opened);
    xt_buf_fini(&f->bound);
    return 0;
}

static seen decode(fixture *f, const char *text)
{
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    settings.secrets = f->rules;
    settings.seal_to = &f->key;
    seen_feed(&s, &settings, xt_slice_str(text), SIZE_MAX / 2);
    return s;
}

static int unseal(fixture *f, const xt_event *sealed_in, const xt_event *opened_in, xt_reader *ret)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf_reset(&f->bound);
    assert_int_equal(xt_secret_seal_bound(opened_in, &f->arena, &f->bound), 0);
    int r = xt_secret_unseal(&f->own, xt_event_bytes(sealed_in, XT_F_SEALED), xt_buf_slice(&f->bound), &f->opened, ret,
                             &problem);
    assert_int_equal(xt_problem_is_set(&problem), r != 0);
    return r;
}

static void assert_next(fixture *f, xt_reader *entries, const char *redaction, const char *value)
{
    xt_slice where, what;
    assert_true(xt_secret_unsealed_next(entries, xt_buf_slice(&f->bound), &where, &what));
    assert_slice_eq(where, redaction);
    assert_slice_eq(what, value);
}

static void assert_no_more(fixture *f, xt_reader *entries)
{
    xt_slice where, what;
    assert_false(xt_secret_unsealed_next(entries, xt_buf_slice(&f->bound), &where, &what));
    assert_false(entries->failed);
}

/* The title's copies are not sealed again; nothing of a value is left outside. */
static void test_values_come_back(void **state)
{
    fixture *f = *state;
    seen s = decode(
        f, EXEC("1.000:1", "argc=4 a0=\"mysql\" a1=\"-phunter2\" a2=\"http://u:swordfish@h/\" a3=\"-phunter2\""));
    xt_event event = seen_get(&s, 0);
    xt_reader entries;
    assert_int_equal(xt_slice_find(xt_buf_slice(&s.batch), XT_S("hunter2")), -1);
    assert_int_equal(xt_slice_find(xt_buf_slice(&s.batch), XT_S("swordfish")), -1);
    assert_int_equal(unseal(f, &event, &event, &entries), 0);
    assert_next(f, &entries, "args[1]:2:mysql-password", "hunter2");
    assert_next(f, &entries, "args[2]:9:uri-password", "swordfish");
    assert_next(f, &entries, "args[3]:2:mysql-password", "hunter2");
    assert_no_more(f, &entries);
    seen_fini(&s);
}

/* A box is of one event, one list of redactions, one key. */
static void test_moved(void **state)
{
    fixture *f = *state;
    seen s = decode(f, EXEC("1.000:1", "argc=2 a0=\"mysql\" a1=\"-phunter2\"")
                           EXEC("2.000:2", "argc=2 a0=\"mysql\" a1=\"-phunter2\"")
                               EXEC("9.000:3", "argc=3 a0=\"mysql\" a1=\"x\" a2=\"-phunter2\""));
    xt_event first = seen_get(&s, 0), second = seen_get(&s, 1), third = seen_get(&s, 2), renamed = first;
    xt_reader entries;
    assert_true(xt_slice_eq(xt_event_bytes(&first, XT_F_REDACTIONS), xt_event_bytes(&second, XT_F_REDACTIONS)));
    assert_int_equal(unseal(f, &first, &second, &entries), XT_SECRET_SEAL_E_CHANGED);
    xt_event_set_num(&third, XT_F_TIME, xt_event_num(&first, XT_F_TIME, 0));
    xt_event_set_num(&third, XT_F_SERIAL, 1);
    assert_int_equal(unseal(f, &first, &third, &entries), XT_SECRET_SEAL_E_CHANGED); /* the same id, another place */
    xt_event_set_bytes(&renamed, XT_F_REDACTIONS,
                       XT_S("\x01\x18"
                            "args[1]:2:other-password"));
    assert_int_equal(unseal(f, &first, &renamed, &entries), XT_SECRET_SEAL_E_CHANGED);
    assert_int_equal(unseal(f, &first, &first, &entries), 0);
    assert_int_equal(xt_hpke_key_make(&f->own), 0);
    assert_int_equal(unseal(f, &first, &first, &entries), XT_SECRET_SEAL_E_OTHER_KEY);
    assert_int_equal(xt_secret_seal_key_of(&f->own, &f->key), 0);
    seen_fini(&s);
}

/* The parent's values stand in the parent's event; marks of parent.cmd that come later do not end what is bound. */
static void test_parent(void **state)
{
    fixture *f = *state;
    seen s = decode(
        f, EXEC("1.000:1", "argc=2 a0=\"mysql\" a1=\"-phunter2\"") "type=SYSCALL msg=audit(9.000:2): arch=c000003e "
                                                                   "syscall=59 success=yes exit=0 items=0 ppid=5 pid=6 "
                                                                   "uid=0 comm=\"x\" exe=\"/x\"\ntype=EXECVE "
                                                                   "msg=audit(9.000:2): argc=2 a0=\"mysql\" "
                                                                   "a1=\"-pswordfish\"\n");
    xt_event child = seen_get(&s, 1);
    xt_reader entries;
    assert_int_equal(xt_list_count(xt_event_bytes(&child, XT_F_REDACTIONS)), 2);
    assert_slice_eq(list_item(xt_event_bytes(&child, XT_F_REDACTIONS), 1), "parent.cmd:8:mysql-password");
    assert_int_equal(unseal(f, &child, &child, &entries), 0);
    assert_next(f, &entries, "args[1]:2:mysql-password", "swordfish");
    assert_no_more(f, &entries);
    seen_fini(&s);
}

/* A line that is no record: its id is that of what is left. */
static void test_unparsed(void **state)
{
    fixture *f = *state;
    seen s = decode(f, "type=EXECVE msg=audit(oops): argc=2 a0=\"mysql\" a1=\"-phunter2\"\n");
    xt_event event = seen_get(&s, 0);
    xt_reader entries;
    assert_int_equal(unseal(f, &event, &event, &entries), 0);
    xt_slice where, what;
    assert_true(xt_secret_unsealed_next(&entries, xt_buf_slice(&f->bound), &where, &what));
    assert_true(xt_slice_starts(where, XT_S("raw:")));
    assert_slice_eq(what, "hunter2");
    seen_fini(&s);
}

static void test_no_secret_no_box(void **state)
{
    fixture *f = *state;
    seen s =
        decode(f, "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=5 "
                  "uid=0 comm=\"x\" exe=\"/x\"\ntype=EXECVE msg=audit(1.000:1): argc=2 a0=\"mysql\" a1=\"-u\"\n");
    xt_event event = seen_get(&s, 0);
    assert_int_equal(s.n, 1);
    assert_false(xt_event_has(&event, XT_F_SEALED));
    seen_fini(&s);
}

/* Values of 1 to 27 bytes look the same from outside; many of them, or huge ones, are kept up to the limits. */
static void test_lengths(void **state)
{
    fixture *f = *state;
    size_t length = 0;
    for (size_t n = 1; n <= 29; n++) {
        xt_secret_values values = {.n = 0};
        xt_event event;
        xt_event_reset(&event);
        xt_secret_values_put(&values, 0, xt_slice_of("0123456789012345678901234567890", n), false);
        assert_int_equal(xt_secret_seal(&f->key, &values, &event, &f->arena), 0);
        assert_true(n == 1 || xt_event_bytes(&event, XT_F_SEALED).n == length);
        length = xt_event_bytes(&event, XT_F_SEALED).n;
        xt_secret_values_fini(&values);
    }
    xt_secret_values values = {.n = 0};
    for (size_t i = 0; i < 1000; i++)
        xt_secret_values_put(&values, i, XT_S("x"), false);
    assert_int_equal(values.n, XT_SECRET_MAX_KEPT);
    xt_secret_values_reset(&values);
    static const char large[XT_SECRET_MAX_KEPT_SIZE + 1];
    xt_secret_values_put(&values, 0, xt_slice_of(large, sizeof large), false);
    assert_int_equal(values.n, 0);
    xt_secret_values_fini(&values);
}

static void test_keys_as_text(void **state)
{
    fixture *f = *state;
    xt_buf text = XT_BUF_INIT, secret = XT_BUF_INIT;
    xt_secret_seal_key key;
    xt_hpke_key own;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_secret_seal_key_format(&f->key, &text);
    xt_secret_seal_private_format(&f->own, &secret);
    xt_buf_putc(&text, '\n');
    assert_int_equal(xt_secret_seal_key_parse(xt_buf_slice(&text), &key, &problem), 0);
    assert_memory_equal(&key, &f->key, sizeof key);
    assert_int_equal(xt_secret_seal_private_parse(xt_buf_slice(&secret), &own, &problem), 0);
    assert_memory_equal(&own, &f->own, sizeof own);
    assert_int_equal(xt_secret_seal_key_parse(xt_buf_slice(&secret), &key, &problem), XT_SECRET_SEAL_E_INVALID);
    assert_int_equal(xt_slice_find(xt_slice_str(problem.sentence), xt_buf_slice(&secret)), -1);
    assert_int_equal(xt_secret_seal_private_parse(xt_buf_slice(&text), &own, &problem), XT_SECRET_SEAL_E_INVALID);
    text.p[20] ^= 1;
    assert_int_equal(xt_secret_seal_key_parse(xt_buf_slice(&text), &key, &problem), XT_SECRET_SEAL_E_INVALID);
    assert_int_equal(xt_secret_seal_key_parse(XT_S(""), &key, &problem), XT_SECRET_SEAL_E_INVALID);
    xt_secret_seal_key zero = {.id = ""};
    xt_buf_reset(&text);
    xt_secret_seal_key_format(&zero, &text);
    assert_int_equal(xt_secret_seal_key_parse(xt_buf_slice(&text), &key, &problem), XT_SECRET_SEAL_E_INVALID);
    assert_non_null(strstr(problem.sentence, "nothing can be sealed"));
    xt_buf_fini(&text);
    xt_buf_fini(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_back), cmocka_unit_test(test_moved),
        cmocka_unit_test(test_parent),           cmocka_unit_test(test_unparsed),
        cmocka_unit_test(test_no_secret_no_box), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_keys_as_text),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
