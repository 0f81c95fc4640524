/* Each form of a value and each modifier, on the text of one field; and what is refused, with its place. */
#include "detect_fixture.h"

#define DIGEST       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST_UPPER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

struct value_case {
    const char *item; /* as it stands in a selection */
    const char *cmd;
    bool matches;
};

static const struct value_case cases[] = {
    /* whole value, without case */
    {"CommandLine: whoami", "whoami", true},
    {"CommandLine: WhoAmI", "wHOaMI", true},
    {"CommandLine: whoami", "whoami x", false},
    {"CommandLine: who", "whoami", false},
    {"CommandLine: [id, whoami]", "whoami", true},
    {"CommandLine: [id, whoami]", "uname", false},
    {"CommandLine: 42", "42", true},
    {"CommandLine: 0042", "42", false},
    {"CommandLine: 0x2a", "42", false},
    {"CommandLine: true", "true", true},
    {"CommandLine: ''", "x", false},
    {"CommandLine: ''", "", true},
    {"CommandLine: null", "", false},
    {"CommandLine: null", "x", false},
    {"CurrentDirectory: null", "x", true},
    {"CurrentDirectory: ''", "x", false},
    {"CurrentDirectory: '*'", "x", false},
    /* wildcards and escapes */
    {"CommandLine: 'a*z'", "abcz", true},
    {"CommandLine: 'a*z'", "az", true},
    {"CommandLine: 'a*z'", "azb", false},
    {"CommandLine: 'a*m*z'", "a..m..z", true},
    {"CommandLine: 'a*m*z'", "a....z", false},
    {"CommandLine: 'a?z'", "abz", true},
    {"CommandLine: 'a?z'", "az", false},
    {"CommandLine: 'a?z'", "abbz", false},
    {"CommandLine: '*'", "anything", true},
    {"CommandLine: '*'", "", true},
    {"CommandLine: '?*'", "", false},
    {"CommandLine: 'ab*'", "abc", true},
    {"CommandLine: '*bc'", "abc", true},
    {"CommandLine: '*b*'", "abc", true},
    {"CommandLine: '*d*'", "abc", false},
    {"CommandLine: 'a\\*z'", "a*z", true},
    {"CommandLine: 'a\\*z'", "abz", false},
    {"CommandLine: 'a\\?z'", "a?z", true},
    {"CommandLine: 'a\\?z'", "abz", false},
    {"CommandLine: 'a\\\\*z'", "a\\bz", true},
    {"CommandLine: 'a\\\\*z'", "a*z", false},
    {"CommandLine: 'a\\\\\\*z'", "a\\*z", true},
    {"CommandLine: 'a\\\\\\*z'", "a\\bz", false},
    {"CommandLine: 'a\\z'", "a\\z", true},
    {"CommandLine: 'a\\\\z'", "a\\z", true},
    {"CommandLine: 'a\\'", "a\\", true},
    {"CommandLine: 'a*z'", "a\n\nz", true},
    /* contains, startswith, endswith, with wildcards inside */
    {"CommandLine|contains: hoa", "whoami", true},
    {"CommandLine|contains: HOA", "whoami", true},
    {"CommandLine|contains: xoa", "whoami", false},
    {"CommandLine|contains: ''", "whoami", true},
    {"CommandLine|contains: a", "bab", true},
    {"CommandLine|contains: a", "bbb", false},
    {"CommandLine|contains: ' -p '", "x -p y", true},
    {"CommandLine|contains: 'w*i'", "x whoami y", true},
    {"CommandLine|contains: 'w*q'", "x whoami y", false},
    {"CommandLine|contains: 'w??am'", "x whoami y", true},
    {"CommandLine|contains: [xx, oam]", "whoami", true},
    {"CommandLine|contains|all: [who, ami]", "whoami", true},
    {"CommandLine|contains|all: [who, amx]", "whoami", false},
    {"CommandLine|startswith: who", "whoami", true},
    {"CommandLine|startswith: ami", "whoami", false},
    {"CommandLine|startswith: 'w*a'", "whoami", true},
    {"CommandLine|startswith: 'sed -i /^*'", "sed -i /^x", true},
    {"CommandLine|endswith: ami", "whoami", true},
    {"CommandLine|endswith: who", "whoami", false},
    {"CommandLine|endswith: 'h*i'", "whoami", true},
    {"CommandLine|endswith: longer-than-it", "it", false},
    /* cased */
    {"CommandLine|cased: WhoAmI", "WhoAmI", true},
    {"CommandLine|cased: WhoAmI", "whoami", false},
    {"CommandLine|contains|cased: Am", "WhoAmI", true},
    {"CommandLine|contains|cased: am", "WhoAmI", false},
    {"CommandLine|cased: 'W*I'", "WhoAmI", true},
    {"CommandLine|cased: 'W*i'", "WhoAmI", false},
    /* regular expressions: searched, with case */
    {"CommandLine|re: 'h.a'", "whoami", true},
    {"CommandLine|re: '^h'", "whoami", false},
    {"CommandLine|re: 'HOA'", "whoami", false},
    {"CommandLine|re|i: 'HOA'", "whoami", true},
    {"CommandLine|re: '(?i)HOA'", "whoami", true},
    {"CommandLine|re: 'a.b'", "a\nb", false},
    {"CommandLine|re|s: 'a.b'", "a\nb", true},
    {"CommandLine|re: '^b'", "a\nb", false},
    {"CommandLine|re|m: '^b'", "a\nb", true},
    {"CommandLine|re|m|i: '^B'", "a\nb", true},
    {"CommandLine|re: ['x', 'who']", "whoami", true},
    {"CommandLine|re|all: ['ami', 'who']", "whoami", true},
    {"CommandLine|re|all: ['ami', 'wha']", "whoami", false},
    /* exists, numbers */
    {"CommandLine|exists: true", "x", true},
    {"CommandLine|exists: false", "x", false},
    {"CurrentDirectory|exists: true", "x", false},
    {"CurrentDirectory|exists: false", "x", true},
    {"LogonId: 33", "x", true},
    {"LogonId: '33'", "x", true},
    {"LogonId: 3", "x", false},
    {"LogonId|gte: 33", "x", true},
    {"LogonId|gt: 33", "x", false},
    {"LogonId|lt: 1000", "x", true},
    {"LogonId|lte: 32", "x", false},
    {"CommandLine|lt: 5", "x", false},
    {"uid: 33", "x", true},
    {"user.id: 33", "x", true},
    /* several values of one field */
    {"args: '-x'", "tar -x -f", true},
    {"args: 'x'", "tar -x -f", false},
    {"argc: 3", "tar -x -f", true},
    {"Image|endswith: /tool", "x", true},
    {"Image|endswith: /called", "x", true},
    {"Image: /usr/bin/called", "x", false},
    {"auditd.data.op: remove_rule", "x", true},
    {"auditd.data.op: add_rule", "x", false},
    {"auditd.data.nothing: null", "x", true},
    /* digests, as Sigma writes them: the algorithm in front; in any case */
    {"Hashes: SHA256=" DIGEST, "x", true},
    {"Hashes: sha256=" DIGEST_UPPER, "x", true},
    {"Hashes|contains: SHA256=" DIGEST, "x", true},
    {"Hashes|contains: " DIGEST_UPPER, "x", true},
    {"Hashes|contains: ['MD5=00112233445566778899aabbccddeeff', 'SHA256=" DIGEST "']", "x", true},
    {"Hashes|contains: [MD5=00112233445566778899aabbccddeeff, IMPHASH=" DIGEST "]", "x", false},
    {"Hashes|contains: SHA256=00" DIGEST, "x", false},
    {"Hashes|endswith: " DIGEST, "x", true},
    {"Hashes|startswith: SHA256=01", "x", true},
    {"Hashes|re: '^SHA256=[0-9a-f]{64}$'", "x", true},
    {"Hashes: " DIGEST, "x", false},
    {"Hashes|exists: true", "x", true},
    {"Hashes|exists: true", "unhashed", false},
    {"Hashes: null", "unhashed", true},
    {"Hashes|contains: SHA256=", "unhashed", false},
    {"hash: " DIGEST, "x", true},
    {"process.hash.sha256: " DIGEST_UPPER, "x", true},
    {"{Hashes|contains: SHA256=01, hash: " DIGEST "}", "x", true},
    {"process.hash.sha256|contains: SHA256=", "x", false},
    /* keywords; a list of maps; all of a map */
    {"[hoa, xx]", "whoami", true},
    {"[yy, xx]", "whoami", false},
    {"whoam", "whoami", true},
    {"'|all': [who, ami]", "whoami", true},
    {"'|all': [who, amx]", "whoami", false},
    {"[{CommandLine: id}, {CommandLine: whoami}]", "whoami", true},
    {"[{CommandLine: id}, {CommandLine: uname}]", "whoami", false},
    {"[{CommandLine: id}, ami]", "whoami", true},
    {"{CommandLine: whoami, LogonId: 33}", "whoami", true},
    {"{CommandLine: whoami, LogonId: 34}", "whoami", false},
};

/* Fields beside the command line that the cases speak of. */
static void set_more(xt_event *event, xt_arena *arena, const char *cmd)
{
    static const char records[] = "\1\1\1\2op\0\13remove_rule";
    xt_path path = {.has_name = true, .name = XT_S("/opt/called")};
    xt_buf paths = XT_BUF_INIT;

    xt_event_set_num(event, XT_F_UID, 33);
    if (strcmp(cmd, "unhashed") != 0)
        xt_event_set_bytes(event, XT_F_HASH, XT_S(DIGEST));
    xt_event_set_bytes(event, XT_F_RECORDS, xt_slice_of(records, sizeof records - 1));
    xt_paths_put(&paths, &path, 1);
    xt_event_set_bytes(event, XT_F_PATHS, xt_arena_copy(arena, xt_buf_slice(&paths)));
    xt_buf_fini(&paths);
}

static void test_values(void **state)
{
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        bool is_item = cases[i].item[0] != '[' && cases[i].item[0] != '{' && strchr(cases[i].item, ':');
        char text[1024];
        xt_arena arena;
        xt_event event;
        xt_ruleset *set;

        snprintf(text, sizeof text, RULE_HEAD "detection:\n    s: %s%s\n    condition: s\n",
                 is_item ? "\n        " : "", cases[i].item);
        set = load_good(text);
        xt_arena_init(&arena, 1u << 20);
        set_exec(&event, &arena, "/usr/bin/tool", cases[i].cmd);
        set_more(&event, &arena, cases[i].cmd);
        if (count_matches(set, &event) != cases[i].matches)
            fail_msg("%s on \"%s\": expected %s", cases[i].item, cases[i].cmd, cases[i].matches ? "a match" : "none");
        xt_arena_fini(&arena);
        xt_ruleset_unref(set);
    }
}

/* The selection begins in line 7, the item in column 9. */
static const struct {
    const char *item, *problem;
} refusals[] = {
    {"CommandLine|windash: x", "8:21: modifier windash is not supported yet"},
    {"CommandLine|contains|expand: x", "8:30: modifier expand is not supported yet"},
    {"CommandLine|base64offset|contains: x", "8:21: modifier base64offset is not supported yet"},
    {"'CommandLine|windash': x", "8:22: modifier windash is not supported yet"},
    {"CommandLine|contain: x", "8:21: modifier contain is unknown"},
    {"'CommandLine|': x", "8:22: modifier  is unknown"},
    {"CommandLine|contains|endswith: x", "8:30: modifier endswith cannot follow the one before it"},
    {"CommandLine|i: x", "8:21: modifier i belongs behind re"},
    {"CommandLine|re|cased: x", "8:24: modifier cased does not go with the others"},
    {"Commandline2: x", "8:9: there is no field Commandline2"},
    {"auditd.records: x", "8:9: the field auditd.records cannot be compared"},
    {"CommandLine: [x, null]", "8:26: null cannot stand in a list"},
    {"CommandLine|contains: null", "8:31: null goes with no modifier"},
    {"CommandLine: []", "8:22: this list is empty"},
    {"CommandLine: {a: b}", "8:22: a field's value cannot be a map"},
    {"CommandLine: [[a]]", "8:23: a value must be a text or a number"},
    {"CommandLine|contains|all: x", "8:35: modifier all needs a list of two values or more"},
    {"CommandLine|contains|all: [x]", "8:35: modifier all needs a list of two values or more"},
    {"CommandLine|re: 'a('", "8:25: this regular expression cannot be read at byte 2"},
    {"CommandLine|exists: yes", "8:29: exists needs true or false"},
    {"uid|lt: many", "8:17: this modifier needs a number"},
    {"CommandLine: a\n        CommandLine: b", "9:9: this key stands twice in the same map"},
};

static void test_refusals(void **state)
{
    for (size_t i = 0; i < XT_COUNT_OF(refusals); i++) {
        char text[1024];

        snprintf(text, sizeof text, RULE_HEAD "detection:\n    s:\n        %s\n    condition: s\n", refusals[i].item);
        assert_refused(text, refusals[i].problem);
    }
}

/* A nearly endless match is given up and counts as one: it must not be a way to hide. */
static void test_regex_limit(void **state)
{
    xt_ruleset *set = load_good(RULE_HEAD "detection:\n    s:\n        CommandLine|re: '(a+)+$'\n    condition: s\n");
    char cmd[4100];
    xt_arena arena;
    xt_event event;

    memset(cmd, 'a', sizeof cmd);
    cmd[sizeof cmd - 2] = 'b';
    cmd[sizeof cmd - 1] = '\0';
    xt_arena_init(&arena, 1u << 20);
    set_exec(&event, &arena, "/usr/bin/tool", cmd);
    assert_int_equal(count_matches(set, &event), 1);
    set_exec(&event, &arena, "/usr/bin/tool", "bbb");
    assert_int_equal(count_matches(set, &event), 0);
    xt_arena_fini(&arena);
    xt_ruleset_unref(set);
}

/* Long texts go without the signature; both ways must agree, wherever the text stands. */
static void test_long_text(void **state)
{
    xt_ruleset *set =
        load_good(RULE_HEAD "detection:\n    s:\n        CommandLine|contains: Needle\n    condition: s\n");
    static const size_t lengths[] = {10, 4095, 4096, 4097, 4105, 100000};
    char *cmd = malloc(100001);

    for (size_t i = 0; i < XT_COUNT_OF(lengths); i++) {
        xt_arena arena;
        xt_event event;
        memset(cmd, 'n', lengths[i]);
        cmd[lengths[i]] = '\0';
        xt_arena_init(&arena, 1u << 20);
        set_exec(&event, &arena, "/usr/bin/tool", cmd);
        assert_int_equal(count_matches(set, &event), 0);
        for (size_t at = 0; at + 6 <= lengths[i]; at += (lengths[i] - 6) / 2 + 1) {
            memcpy(cmd + at, "nEEdlE", 6);
            set_exec(&event, &arena, "/usr/bin/tool", cmd);
            assert_int_equal(count_matches(set, &event), 1);
            memset(cmd + at, 'n', 6);
        }
        xt_arena_fini(&arena);
    }
    free(cmd);
    xt_ruleset_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_regex_limit),
        cmocka_unit_test(test_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
