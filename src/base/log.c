/*
 * A line is made in memory of fixed size (memory may be what is out) and leaves in one write, so lines of several
 * threads never mix. Whether standard error is systemd's journal is told by JOURNAL_STREAM, which holds its device
 * and inode (systemd.exec(5)); the journal has times of its own and reads the level from <N>.
 */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/utf8.h"

#define MAX_TEXT_BYTES 3072
#define MAX_LINE_BYTES 4096

static struct {
    const char *component;
    xt_log_level max_level;
    bool to_journal;
} state = {.component = "exectrail", .max_level = XT_LOG_INFO};

static bool is_journal(void)
{
    const char *z = getenv("JOURNAL_STREAM");
    struct stat st;
    char want[64];

    if (!z || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(want, sizeof want, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(z, want) == 0;
}

void xt_log_init(const char *component, xt_log_level max_level)
{
    state.component = component;
    state.max_level = max_level;
    state.to_journal = is_journal();
}

static void put_head(xt_buf *line, xt_log_level level)
{
    static const struct {
        const char *name;
        int priority; /* of syslog(3) */
    } levels[] = {{"ERROR", 3}, {"WARN", 4}, {"INFO", 6}, {"DEBUG", 7}};
    char now[25];

    if (state.to_journal) {
        xt_buf_printf(line, "<%d>", levels[level].priority);
    } else {
        xt_timestamp_format(xt_clock_wall_ms(&xt_clock_system), now);
        xt_buf_printf(line, "%s ", now);
    }
    xt_buf_printf(line, "%s %s: ", levels[level].name, state.component);
}

static void write_line(xt_log_level level, xt_slice text)
{
    char bytes[MAX_LINE_BYTES];
    xt_buf line = XT_BUF_ON(bytes);

    line.max_bytes -= 3;
    put_head(&line, level);
    bool whole = xt_text_visible_head(&line, text);
    memcpy(bytes + line.n, whole ? "\n" : "...\n", whole ? 1 : 4);
    while (write(STDERR_FILENO, bytes, line.n + (whole ? 1 : 4)) < 0 && errno == EINTR)
        ;
}

void xt_log(xt_log_level level, const char *format, ...)
{
    int saved = errno;
    char text[MAX_TEXT_BYTES];
    va_list args;

    if (level > state.max_level)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line(level, xt_slice_str(text));
    errno = saved;
}

void xt_log_problem(xt_log_level level, const xt_problem *problem)
{
    char text[MAX_TEXT_BYTES];
    xt_buf out = XT_BUF_ON(text);

    xt_problem_format(problem, &out);
    xt_log(level, "%.*s", XT_S_ARGS(xt_buf_slice(&out)));
}
