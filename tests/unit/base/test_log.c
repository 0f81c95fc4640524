/* base/log: one line per call on standard error, in the form the header names. */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static FILE *captured;
static int saved_stderr;

static void capture_begin(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
}

static void capture_end(char *ret, size_t size)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(captured);
    ret[fread(ret, 1, size - 1, captured)] = '\0';
    fclose(captured);
}

static bool matches(const char *text, const char *pattern)
{
    regex_t re;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool ok = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return ok;
}

#define TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "

static void test_plain(void **state)
{
    char text[8192];
    xt_problem p = XT_PROBLEM_INIT;

    capture_begin();
    xt_log_init("server", XT_LOG_WARN);
    xt_log(XT_LOG_INFO, "not shown");
    errno = EAGAIN;
    xt_log(XT_LOG_WARN, "%d agents\nare \x1b gone", 3);
    int after = errno;
    capture_end(text, sizeof text);
    assert_int_equal(after, EAGAIN);
    assert_true(matches(text, TIME "WARN server: 3 agents\\\\x0aare \\\\x1b gone\n$"));

    capture_begin();
    xt_problem_source(&p, "a.yml");
    xt_problem_set(&p, "no such key");
    xt_log_problem(XT_LOG_ERROR, &p);
    capture_end(text, sizeof text);
    assert_true(matches(text, TIME "ERROR server: a.yml: no such key\n$"));
}

static void test_under_systemd(void **state)
{
    char text[8192], stream[64];
    struct stat st;

    capture_begin();
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    xt_log_init("agent", XT_LOG_DEBUG);
    xt_log(XT_LOG_DEBUG, "hello");
    xt_log(XT_LOG_ERROR, "bye");
    capture_end(text, sizeof text);
    assert_string_equal(text, "<7>DEBUG agent: hello\n<3>ERROR agent: bye\n");
    unsetenv("JOURNAL_STREAM");
}

static void test_long_line_is_cut(void **state)
{
    char text[8192], long_text[6000];

    memset(long_text, 0x01, sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    capture_begin();
    xt_log_init("agent", XT_LOG_INFO);
    xt_log(XT_LOG_INFO, "%s", long_text);
    capture_end(text, sizeof text);
    assert_true(strlen(text) > 4000 && strlen(text) <= 4096);
    assert_string_equal(text + strlen(text) - 8, "\\x01...\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_under_systemd),
        cmocka_unit_test(test_long_line_is_cut),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
